"""Arrays that are larger than the memory: pyramids, streams, and the files they are written to."""
