# Sums over channels and taps, pools and activations.

include "../common.pxi"
include "../packing.pxi"
include "../layers.pxi"
include "../depthwise.pxi"
include "../depthwise_lanes.pxi"
include "../winograd.pxi"
include "../pooling.pxi"
include "../activations.pxi"
