"""Room 3, what normal looks like: the coreset, the memory bank, and the model file that keeps it."""
