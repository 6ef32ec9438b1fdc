"""Room 5, scores: from patch distances to an image score, a map, regions and thresholds."""
