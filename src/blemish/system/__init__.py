"""Threads, progress and files: what the rooms ask of the machine."""
