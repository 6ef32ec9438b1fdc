"""Room 6, decisions: thresholds from good images that the memory has not seen, and what they promise."""
