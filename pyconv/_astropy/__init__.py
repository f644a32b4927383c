"""astropy's convolutions over pyconv's loops; `pyconv.astropy` has their public names.

`theirs` is what of astropy is used. `samples` makes plain arrays of what astropy takes. `windows`
has the sums, with samples missing or without. `direct` and `transform` are `convolve` and
`convolve_fft`: what is checked, warned of and normalised, in astropy's order.
"""
