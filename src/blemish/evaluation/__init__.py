"""Measure a detector on labelled images: metrics, intervals, and the run that joins them."""
