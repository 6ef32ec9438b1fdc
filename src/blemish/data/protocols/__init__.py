"""The published protocols: one file for each data set, from its folder to samples and the options it fixes."""
