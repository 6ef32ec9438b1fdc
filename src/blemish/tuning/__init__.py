"""Which looks find most on these parts: measured on a few defects, or on defects that are made."""
