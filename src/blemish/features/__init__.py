"""Room 2, patches: a backbone's graph, and from sized pixels to patches on a grid in one graph."""
