"""Labelled sets: samples from folders, lists and published data sets."""
