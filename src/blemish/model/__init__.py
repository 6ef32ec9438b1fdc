"""What a model is: one immutable value with its manifest, its file, its journal, and how it learns."""
