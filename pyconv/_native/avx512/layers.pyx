# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True, binding=False, auto_pickle=False
"""The family ``layers`` of loops, compiled for the ``avx512`` row of ISAS."""

ISA = "avx512"

include "../families/layers.pxi"
