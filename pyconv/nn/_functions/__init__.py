"""The functions of `pyconv.nn.functional` and `pyconv.nn.grad`."""
