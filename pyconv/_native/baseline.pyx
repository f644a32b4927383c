# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The loops compiled for the ``baseline`` row of ISAS."""

ISA = "baseline"

include "variant.pxi"
