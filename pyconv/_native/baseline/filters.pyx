# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True, binding=False, auto_pickle=False
"""The family ``filters`` of loops, compiled for the ``baseline`` row of ISAS."""

ISA = "baseline"

include "../families/filters.pxi"
