"""ALGORITHMS: the ways to solve a problem. The least predicted cost wins; reference takes all."""

from __future__ import annotations

from pyconv._engine.algorithms.base import Algorithm, LayerAlgorithm, WeightGradientAlgorithm
from pyconv._engine.algorithms.correlation.box import Box
from pyconv._engine.algorithms.correlation.direct import Direct
from pyconv._engine.algorithms.correlation.each_phase import EachPhase
from pyconv._engine.algorithms.correlation.fft import Fft
from pyconv._engine.algorithms.correlation.fixed_point import FixedPoint
from pyconv._engine.algorithms.correlation.im2col import Im2col
from pyconv._engine.algorithms.correlation.polyphase import Polyphase
from pyconv._engine.algorithms.correlation.recursive import Recursive
from pyconv._engine.algorithms.correlation.reference import Reference
from pyconv._engine.algorithms.correlation.rounded_mean import RoundedMean
from pyconv._engine.algorithms.correlation.rounded_sum import RoundedSum
from pyconv._engine.algorithms.correlation.separable import Separable
from pyconv._engine.algorithms.layers.blocked import Blocked
from pyconv._engine.algorithms.layers.depthwise import Depthwise, DepthwiseLanes
from pyconv._engine.algorithms.layers.im2col import LayerIm2col
from pyconv._engine.algorithms.layers.reference import LayerReference
from pyconv._engine.algorithms.layers.winograd import Winograd

ALGORITHMS: tuple[Algorithm, ...] = (
    Direct(),
    Fft(),
    Separable(),
    Box(),
    Recursive(),
    Im2col(),
    Reference(),
)
#: The ways to integer results that are the same whichever one runs: those of one `rounding`.
ROUNDING_ALGORITHMS: tuple[Algorithm, ...] = (
    RoundedMean(),
    FixedPoint(),
    RoundedSum(),
    Reference(),
)
#: The ways to a stride that is a fraction. By the costs that they predict, `polyphase` goes before
#: `direct` wherever it can, whatever the rates of the machine: their bits differ.
RATE_ALGORITHMS: tuple[Algorithm, ...] = (
    Polyphase(),
    EachPhase(Direct()),
    EachPhase(Fft()),
    Reference(),
)
#: The ways to solve a layer, and its gradient for the weights.
LAYER_ALGORITHMS: tuple[LayerAlgorithm, ...] = (
    Blocked(),
    Depthwise(),
    DepthwiseLanes(),
    Winograd(4),
    Winograd(2),
    LayerIm2col(),
    LayerReference(),
)
WEIGHT_GRADIENT_ALGORITHMS: tuple[WeightGradientAlgorithm, ...] = (
    Blocked(),
    LayerReference(),
)

__all__ = [
    "ALGORITHMS",
    "LAYER_ALGORITHMS",
    "RATE_ALGORITHMS",
    "ROUNDING_ALGORITHMS",
    "WEIGHT_GRADIENT_ALGORITHMS",
    "Algorithm",
    "LayerAlgorithm",
    "WeightGradientAlgorithm",
]
