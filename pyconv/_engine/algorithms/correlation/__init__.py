"""One module for each algorithm of a correlation."""
