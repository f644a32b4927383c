"""Layers on NumPy arrays in torch's shapes, (N, C, spatial…): functions and their gradients.

`pyconv.nn.functional` has the functions, `pyconv.nn.grad` the gradients of each with respect to
each of its arrays.
"""

from pyconv.nn import functional, grad

__all__ = ["functional", "grad"]
