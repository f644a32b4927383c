"""The loops compiled for the ``avx512`` row of ISAS: one extension for each family."""
