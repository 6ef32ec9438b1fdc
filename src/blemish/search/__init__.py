"""Nearest neighbours: exact by bounds in few dimensions, or approximate on huge banks."""
