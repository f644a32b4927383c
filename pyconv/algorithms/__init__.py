"""ALGORITHMS: the ways to solve a problem. The least predicted cost wins; reference takes all."""

from pyconv.algorithms.base import Algorithm, LayerAlgorithm, WeightGradientAlgorithm
from pyconv.algorithms.blocked import Blocked
from pyconv.algorithms.box import Box
from pyconv.algorithms.depthwise import Depthwise, DepthwiseLanes
from pyconv.algorithms.direct import Direct
from pyconv.algorithms.fft import Fft
from pyconv.algorithms.im2col import Im2col
from pyconv.algorithms.layer_im2col import LayerIm2col
from pyconv.algorithms.layer_reference import LayerReference
from pyconv.algorithms.reference import Reference
from pyconv.algorithms.separable import Separable
from pyconv.algorithms.winograd import Winograd

ALGORITHMS: tuple[Algorithm, ...] = (
    Direct(),
    Fft(),
    Separable(),
    Box(),
    Im2col(),
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
    "WEIGHT_GRADIENT_ALGORITHMS",
    "Algorithm",
    "LayerAlgorithm",
    "WeightGradientAlgorithm",
]
