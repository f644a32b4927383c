"""The functions of `pyconv`, one subject a module."""
