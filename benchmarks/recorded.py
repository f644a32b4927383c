"""Calls as plain data: what another package's tests send to a function, without their samples.

`described` turns the arguments of a call into what JSON can hold, `arguments` makes arguments of it
again. Arrays of few numbers, which are kernels, keep their values; others their shape, dtype and
order in memory. Arguments that are the default are left out.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

#: Arrays of more numbers are described by their shape; those of a function's samples always are.
MAX_VALUES = 64
#: The samples of calls that are kept.
FEWEST, MOST = 2**8, 2**20
#: The parameters that hold samples.
SAMPLES = ("input", "in1", "output")


def described(
    function: Callable[..., Any], args: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the arguments of a call by name, None if one of them is no number, word or array."""
    try:
        signature = inspect.signature(function)
        named = dict(signature.bind(*args, **keywords).arguments)
        named |= named.pop("kwargs", {})
        told = {name: _described(name, value) for name, value in named.items()}
    except TypeError:  # also of a call that the function refuses
        return None
    parameters = signature.parameters
    return {
        name: value
        for name, value in told.items()
        if name not in parameters or value != parameters[name].default
    }


def kept(calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the calls whose samples are neither far too few for two threads nor many."""
    return [call for call in calls if FEWEST <= _size(call["arguments"]) <= MOST]


def _size(told: Mapping[str, Any]) -> int:
    return math.prod(next(told[name]["array"] for name in SAMPLES if name in told))


def _described(name: str, value: Any) -> Any:
    if name in SAMPLES and isinstance(value, list | tuple):
        value = np.asarray(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, list | tuple):
        return [_described("", each) for each in value]
    if isinstance(value, np.dtype | type):
        return {"dtype": np.dtype(value).str}
    return _described_array(name, value)


def _described_array(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufc":
        raise TypeError(f"{name}={value!r} has no description")
    told = {"array": list(value.shape), "dtype": value.dtype.str}
    if name not in SAMPLES and value.size <= MAX_VALUES:
        if value.dtype.kind == "c":
            told["imag"] = value.imag.tolist()
        return told | {"real": value.real.tolist()}
    if not value.flags.c_contiguous:
        told["order"] = "F" if value.flags.f_contiguous else "strided"
    return told


def arguments(told: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return arguments of a described call, arrays filled with random samples."""
    return {name: _made(value, rng) for name, value in told.items()}


def _made(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, list):
        return [_made(each, rng) for each in value]
    if not isinstance(value, dict):
        return value
    if "complex" in value:
        return complex(*value["complex"])
    if "array" not in value:
        return np.dtype(value["dtype"])
    if "real" not in value:
        return _samples(value, rng)
    made = np.asarray(value["real"])
    if "imag" in value:
        made = made + 1j * np.asarray(value["imag"])
    return made.astype(value["dtype"]).reshape(value["array"])


def _samples(value: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
    dtype, shape, order = np.dtype(value["dtype"]), list(value["array"]), value.get("order", "C")
    if order == "strided":  # every other sample along the last axis
        shape[-1] *= 2
    made = rng.random(shape)
    if dtype.kind in "iu":
        made = made * 128
    elif dtype.kind == "b":
        made = made > 0.5
    elif dtype.kind == "c":
        made = made + 1j * rng.random(shape)
    made = made.astype(dtype)
    if order == "F":
        return np.asfortranarray(made)
    return made[..., ::2] if order == "strided" else made
