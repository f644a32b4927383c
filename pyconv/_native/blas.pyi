"""The addresses of the products of matrices of BLAS."""

from __future__ import annotations

def multiply_address(name: str) -> int: ...
