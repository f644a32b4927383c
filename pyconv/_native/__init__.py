"""The compiled room: loops over the valid region, one build of them for each ISA variant."""
