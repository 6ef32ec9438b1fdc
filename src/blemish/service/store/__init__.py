"""The store: one SQLite file, models, pictures (store.py opens it)."""
