"""dask arrays in, dask arrays out: graphs of tasks that each make one chunk of a result."""
