"""The arithmetic under coreset and search, in C where the extension is installed, else in NumPy."""
