"""Every option of fitting: Python checks it, the command line and the docs print it."""
