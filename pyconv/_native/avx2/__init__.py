"""The loops compiled for the ``avx2`` row of ISAS: one extension for each family."""
