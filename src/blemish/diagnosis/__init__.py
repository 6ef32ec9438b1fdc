"""The doctor's room: examine an installation, or a data set before it is fitted on, and say what to do."""
