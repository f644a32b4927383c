"""Optimisers: p ← p − lr · (what the gradients of the past steps make of the last one).

They mean what torch's mean, number for number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv._engine.problem import flag
from pyconv.nn._layers.parameter import Parameter

Array = npt.NDArray[Any]


class Optimizer:
    """What optimisers share: the parameters, and the memory of each.

    Parameters
    ----------
    parameters : iterable of Parameter
        What is optimised, such as ``model.parameters()``.
    **options : float
        The numbers of the method; they can be set between steps, as ``optimizer.lr``.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconv import nn
    >>> class Signs(nn.Optimizer):
    ...     weight_decay = 0
    ...
    ...     def update(self, p, g, memory):
    ...         p -= self.lr * np.sign(g)
    >>> p = nn.Parameter([1.0])
    >>> p.grad = p.data.copy()
    >>> Signs([p], lr=0.25).step()
    >>> p
    Parameter([0.75])
    """

    lr: float
    weight_decay: float

    def __init__(self, parameters: Iterable[Parameter], **options: float) -> None:
        self.parameters: list[Any] = list(parameters)
        if not self.parameters or not all(isinstance(p, Parameter) for p in self.parameters):
            raise ValueError("parameters: at least one is needed, as model.parameters() has")
        value: Any
        for name, value in options.items():
            if not isinstance(value, int | float | np.integer | np.floating):
                raise TypeError(f"{name}={value!r}: a number of at least 0 is allowed")
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}={value!r}: a number of at least 0 is allowed")
        self.options = tuple(options)
        vars(self).update(options)
        #: What is remembered of each parameter from step to step.
        self.memory: list[dict[str, Any]] = [{} for _ in self.parameters]

    def zero_grad(self) -> None:
        """Forget the gradients, before those of the next batch are added up."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for parameter, memory in zip(self.parameters, self.memory, strict=True):
            if parameter.grad is None:
                continue
            p = parameter.data
            if not p.flags.writeable:
                raise RuntimeError("weights are read-only in evaluation: call model.train() first")
            if memory and memory["dtype"] != p.dtype:
                memory.clear()
            if not memory:
                memory.update(dtype=p.dtype, steps=0)
            if "scratch" not in memory:
                memory["scratch"] = np.empty_like(p)
            g: Array = parameter.grad
            with np.errstate(all="ignore"):  # IEEE: a loss that diverges is seen as NaN
                if self.weight_decay:
                    g = g + self.weight_decay * p
                memory["steps"] += 1
                self.update(p, g, memory)

    def update(self, p: Array, g: Array, memory: dict[str, Any]) -> None:
        """Change one parameter in place."""
        raise NotImplementedError(f"{type(self).__name__} does not define update(p, g, memory)")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the room for a step, in copies and pickles."""
        memory = [{n: v for n, v in m.items() if n != "scratch"} for m in self.memory]
        return vars(self) | {"memory": memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what another remembers; a pickle may lie in memory that nobody may write to."""
        vars(self).update(state)
        self.memory = [
            {n: np.require(v, None, "W") if isinstance(v, np.ndarray) else v for n, v in m.items()}
            for m in self.memory
        ]

    def __repr__(self) -> str:
        """Return the numbers of the method."""
        numbers = ", ".join(f"{name}={getattr(self, name)}" for name in self.options)
        return f"{type(self).__name__}({numbers})"


class SGD(Optimizer):
    r"""Go down the gradient, with the momentum of the steps before.

    .. math:: v \leftarrow \mu v + (g + \lambda p), \qquad p \leftarrow p - \mathrm{lr} \; v

    Parameters
    ----------
    parameters : iterable of Parameter
        What is optimised, such as ``model.parameters()``.
    lr : float, optional
        Length of a step.
    momentum : float, optional
        μ, the share of the last step that goes on.
    dampening : float, optional
        What the gradient loses of its weight in v; the first step is not damped.
    weight_decay : float, optional
        λ, which pulls weights to zero.
    nesterov : bool, optional
        Look ahead: step by ``g + μ v``.

    Examples
    --------
    >>> from pyconv import nn
    >>> p = nn.Parameter([1.0])
    >>> optimizer = nn.SGD([p], lr=0.5)
    >>> p.grad = p.data.copy()  # of p² / 2
    >>> optimizer.step()
    >>> p
    Parameter([0.5])
    """

    momentum: float
    dampening: float

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            parameters, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay
        )
        self.nesterov = flag(nesterov, "nesterov")
        if self.nesterov and (not momentum or dampening):
            raise ValueError("nesterov=True needs a momentum, and no dampening")

    def update(self, p: Array, g: Array, memory: dict[str, Any]) -> None:
        """Change one parameter in place."""
        if self.momentum:
            v = memory.get("v")
            if v is None:
                v = memory["v"] = g.astype(p.dtype)  # a copy: the first step is the gradient
            else:
                v *= self.momentum
                v += g if not self.dampening else (1 - self.dampening) * g
            g = g + self.momentum * v if self.nesterov else v
        scratch = memory["scratch"]
        np.multiply(g, self.lr, out=scratch)
        p -= scratch


class Adam(Optimizer):
    r"""Go down the average gradient, by steps that its spread makes as long everywhere.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2

        p \leftarrow p - \mathrm{lr} \, \frac{m / (1 - \beta_1^t)}
        {\sqrt{v / (1 - \beta_2^t)} + \varepsilon}

    Parameters
    ----------
    parameters : iterable of Parameter
        What is optimised, such as ``model.parameters()``.
    lr : float, optional
        Length of a step.
    betas : tuple of float, optional
        β₁ and β₂, below 1: how long averages of the gradient and of its square last.
    eps : float, optional
        ε, added to the spread.
    weight_decay : float, optional
        Times the weights, added to the gradient.

    References
    ----------
    D. P. Kingma, J. Ba: Adam, a method for stochastic optimization. ICLR 2015.

    Examples
    --------
    >>> from pyconv import nn
    >>> p = nn.Parameter([1.0])
    >>> optimizer = nn.Adam([p], lr=0.25)
    >>> p.grad = p.data.copy()
    >>> optimizer.step()
    >>> p
    Parameter([0.75])
    """

    eps: float

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr=lr, eps=eps, weight_decay=weight_decay)
        try:
            first, second = betas
            sound = 0 <= first < 1 and 0 <= second < 1
        except (TypeError, ValueError):
            sound = False
        if not sound:
            raise ValueError(f"betas={betas!r}: two numbers from 0 to below 1 are allowed")
        self.betas = betas

    def update(self, p: Array, g: Array, memory: dict[str, Any]) -> None:
        """Change one parameter in place."""
        first, second = self.betas
        if memory["steps"] == 1:
            memory.update(m=np.zeros_like(p), v=np.zeros_like(p))
        m, v, scratch = memory["m"], memory["v"], memory["scratch"]
        m *= first
        m += np.multiply(g, 1 - first, out=scratch)
        v *= second
        np.multiply(g, g, out=scratch)
        scratch *= 1 - second
        v += scratch
        steps = memory["steps"]
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - second**steps)
        scratch += self.eps
        np.divide(m, scratch, out=scratch)
        scratch *= self.lr / (1 - first**steps)
        p -= scratch
