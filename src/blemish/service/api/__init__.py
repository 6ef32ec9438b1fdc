"""The HTTP interface: app.py puts it together; each other file holds the routes of one noun."""
