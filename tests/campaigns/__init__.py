"""Long tests with faults on purpose; each has a short form in the default suite."""
