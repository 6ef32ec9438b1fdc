"""How things are said: Japanese sentences for English ones, and one form for numbers."""
