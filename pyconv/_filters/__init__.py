"""The functions of `pyconv.filters`, one kind of filter a module."""
