# What every ISA variant holds: the same loops, compiled with other flags.

include "common.pxi"
include "packing.pxi"
include "direct.pxi"
include "im2col.pxi"
include "fft.pxi"
