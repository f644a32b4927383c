# What every ISA variant holds: the same loops, compiled with other flags.

include "common.pxi"
include "direct.pxi"
