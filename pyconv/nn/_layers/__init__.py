"""The classes of `pyconv.nn`."""
