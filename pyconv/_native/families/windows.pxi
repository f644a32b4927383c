# Sums of products over the window of each output.

include "../common.pxi"
include "../packing.pxi"
include "../gaps_declarations.pxi"
include "../gaps.pxi"
include "../direct.pxi"
include "../separable.pxi"
include "../im2col.pxi"
include "../matching.pxi"
