"""One module for each algorithm of a layer."""
