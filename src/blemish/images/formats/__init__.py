"""Image files, one format a file: its header, whether it is whole, and a decoder that gives its values exactly."""
