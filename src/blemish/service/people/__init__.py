"""Who may do what: roles and scopes, passwords, the one table of routes."""
