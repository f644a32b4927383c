# What every ISA variant holds: the same loops, compiled with other flags.

include "common.pxi"
include "packing.pxi"
include "direct.pxi"
include "separable.pxi"
include "box.pxi"
include "im2col.pxi"
include "layers.pxi"
include "depthwise.pxi"
include "pooling.pxi"
include "activations.pxi"
include "winograd.pxi"
include "fft.pxi"
