# Sums that neighbouring outputs share, transforms, and sums that are cut to integers.

include "../common.pxi"
include "../packing.pxi"
include "../units.pxi"
include "../gaps_declarations.pxi"
include "../box.pxi"
include "../means.pxi"
include "../recursive.pxi"
include "../fft.pxi"
include "../truncated.pxi"
include "../fixed.pxi"
