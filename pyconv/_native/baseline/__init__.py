"""The loops compiled for the ``baseline`` row of ISAS: one extension for each family."""
