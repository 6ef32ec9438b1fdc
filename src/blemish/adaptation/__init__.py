"""A network that learns what the good parts of one product look like: docs/adapting.md."""
