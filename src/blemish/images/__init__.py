"""Room 1, pixels: read images, size them for the network, and find the way back for the maps."""
