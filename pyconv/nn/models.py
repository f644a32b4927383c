"""Models that are known by name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyconv.nn._layers.containers import Sequential
from pyconv.nn._layers.convolution_layers import Conv2d
from pyconv.nn._layers.dense_layers import Flatten, Linear, ReLU
from pyconv.nn._layers.pooling_layers import MaxPool2d
from pyconv.nn.init import Seed, generator

__all__ = ["LeNet5"]


class LeNet5(Sequential):
    """LeCun's network for digits: images of 32×32 through two convolutions and pools.

    As it is built today: with rectified results and pools of the largest sample, where the paper
    has saturating ones and averages that learn a scale, and with every channel connected.

    Parameters
    ----------
    classes : int, optional
        Results for each image.
    channels : int, optional
        Channels of the images.
    rng : Generator or int, optional
        What draws the first weights, or its seed.
    dtype : {float32, float64}, optional
        Dtype of the weights, which images are converted to.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document
    recognition. Proceedings of the IEEE, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> model = nn.models.LeNet5(rng=0)
    >>> model(np.zeros((2, 1, 32, 32))).shape
    (2, 10)
    >>> model.parameter_count
    61706
    """

    def __init__(
        self,
        classes: int = 10,
        channels: int = 1,
        *,
        rng: Seed = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        draw = generator(rng)
        super().__init__(
            Conv2d(channels, 6, 5, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            MaxPool2d(2),
            Conv2d(6, 16, 5, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            MaxPool2d(2),
            Flatten(),
            Linear(400, 120, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            Linear(120, 84, rng=draw, dtype=dtype),
            ReLU(inplace=True),
            Linear(84, classes, rng=draw, dtype=dtype),
        )
