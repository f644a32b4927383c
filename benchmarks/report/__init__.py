"""The report of peers: collect the tables, sum them up, draw and write pages, compare two."""
