"""An accessor of xarray: ``array.pyconv.gaussian(x=2, y=2)`` filters along dimensions by name.

The import of this module registers it. Coordinates, attributes and names are kept. A stride, or
a window that has to lie inside, cuts the coordinates as it cuts the samples. A variable that dask
holds in chunks stays in chunks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import pyconv
from pyconv import filters
from pyconv._calls.missing import coverage
from pyconv._engine.problem import CallOptions, check_whole_strides, make_problem, several

try:
    import pandas as pd
    import xarray
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "pyconv.xarray needs xarray: pip install 'pyconv-nd[xarray]'", name=error.name
    ) from error

__all__ = ["DataArrayAccessor", "DatasetAccessor"]

#: What widths may be measured in.
UNITS = ("samples", "coordinates")
#: A coordinate is even if no sample lies farther from its place than this part of a step.
UNEVEN = 1e-3
#: Arguments that may be mappings from dimensions, and what dimensions get that they leave out; None
#: where each dimension has to be there.
DEFAULTS: dict[str, Any] = {
    "dilation": 1,
    "mode": 0,
    "order": 0,
    "radius": None,
    "sigma": None,
    "size": None,
    "stride": 1,
    "wider": None,
}


class _Row(NamedTuple):
    """How a filter is asked for by names of dimensions."""

    #: The argument that keywords of the names of dimensions give: ``gaussian(x=2, y=2)``.
    widths: str | None = None
    #: Arguments that are lengths, which coordinates may be the measure of.
    lengths: tuple[str, ...] = ()
    #: How many dimensions are filtered where none is named.
    ndims: tuple[int, ...] = (1, 2)
    #: What a dimension is said to be for: the argument ``axis`` of the filter is called ``dim``.
    direction: bool = False
    #: The dimensions that the result has in front, by the arguments that are their coordinates.
    new: tuple[str, ...] = ()


#: The filters of `pyconv.filters`.
FILTERS = {
    "ball": _Row(lengths=("radius",), ndims=(3,)),
    "box": _Row("size", ("size",)),
    "disk": _Row(lengths=("radius",), ndims=(2,)),
    "dog": _Row("sigma", ("sigma", "wider")),
    "edge": _Row(),
    "emboss": _Row(ndims=(2,)),
    "gabor": _Row(lengths=("wavelength", "sigma")),
    "gabor_bank": _Row(lengths=("wavelengths",), ndims=(2,), new=("wavelength", "orientation")),
    "gaussian": _Row("sigma", ("sigma",)),
    "gradient_magnitude": _Row("sigma", ("sigma",)),
    "laplace": _Row(),
    "log": _Row("sigma", ("sigma",)),
    "motion": _Row(lengths=("length",), ndims=(2,)),
    "prewitt": _Row(direction=True),
    "roberts": _Row(ndims=(2,)),
    "scharr": _Row(direction=True),
    "sharpen": _Row(),
    "sobel": _Row(direction=True),
    "unsharp": _Row("sigma", ("sigma",)),
}  # fmt: skip
#: The part of each dimension that is kept, or None where results lie beyond the samples; one that
#: is not here is kept as it is.
Kept = Mapping[Any, slice | None]
#: The functions of a kernel.
KERNELS: dict[str, Callable[..., Any]] = {
    "convolve": pyconv.convolve,
    "correlate": pyconv.correlate,
    "coverage": coverage,
}
#: Arguments of the functions that names of dimensions, or nothing, take the place of.
REPLACED = frozenset(("x", "w", "axes", "axis", "out"))


class _Call:
    """A call on one variable: its dimensions, and its arguments in the order of their axes."""

    def __init__(
        self, source: Any, ndims: tuple[int, ...], given: dict[str, Any], boundary: str
    ) -> None:
        self.source = source
        self.dims = _dimensions(source, given.pop("dims"), ndims)
        self.given = given
        for name, default in (*DEFAULTS.items(), ("boundary", boundary)):
            if isinstance(given.get(name), Mapping):
                given[name] = self._along(given[name], name, default)
        self._missing(given.pop("skipna", None), given.pop("nodata"))

    @property
    def axes(self) -> tuple[int, ...]:
        """Return the axes of the dimensions that are filtered."""
        return tuple(self.source.dims.index(dim) for dim in self.dims)

    def _along(self, value: Mapping[Any, Any], name: str, default: Any) -> tuple[Any, ...]:
        """Return the values of a mapping, one for each dimension that is filtered."""
        for dim in value:
            if dim not in self.dims:
                raise ValueError(
                    f"{name}={value!r}: {dim!r} is none of the dimensions that are filtered, "
                    f"{_words(self.dims)}"
                )
        absent = [dim for dim in self.dims if dim not in value]
        if absent and default is None:
            raise ValueError(f"{name}={value!r} says nothing of {_words(absent)}")
        return tuple(value.get(dim, default) for dim in self.dims)

    def _missing(self, skipna: object, nodata: object) -> None:
        """Say what is left out in the words of the functions."""
        given = self.given
        if skipna is not None:
            if not isinstance(skipna, bool | np.bool_):
                raise TypeError(f"skipna={skipna!r}: True, False or None is allowed")
            if given["nan_policy"] != "propagate":
                raise ValueError(
                    f"skipna={skipna!r} and nan_policy={given['nan_policy']!r}: one of them "
                    "is allowed"
                )
            given["nan_policy"] = "omit" if skipna else "propagate"
        mask = given.get("mask")
        if isinstance(mask, xarray.DataArray):
            mask = self._aligned(mask)
        if nodata is not None:
            x = self.source.data
            found = _equal(x, nodata)
            mask = found if mask is None else found | mask
        given["mask"] = mask

    def _aligned(self, mask: Any) -> Any:
        """Return a mask in the order of the dimensions of the source, and of their number."""
        strange = [dim for dim in mask.dims if dim not in self.source.dims]
        if strange:
            raise ValueError(
                f"mask has the dimensions {_words(mask.dims)}, and {_words(self.source.dims)} "
                "are allowed"
            )
        try:
            _, mask = xarray.align(self.source, mask, join="exact", copy=False)
        except ValueError as error:
            raise ValueError(f"mask has other coordinates than what is filtered: {error}") from None
        sizes = {dim: self.source.sizes[dim] for dim in self.source.dims}
        return mask.variable.set_dims(sizes).transpose(*sizes).data

    # ---- widths

    def in_samples(self, row: _Row, units: object) -> None:
        """Measure lengths in samples, where they are given in units of the coordinates."""
        given = self.given
        if units not in UNITS:
            raise ValueError(f"units={units!r}: allowed are {', '.join(UNITS)}")
        if units == "samples":
            return
        steps = [_step(self.source, dim) for dim in self.dims]
        for name in row.lengths:
            if given[name] is not None:
                measure = self._alike if row.widths is None else self._by_axis
                given[name] = measure(given[name], name, steps)
        if row.widths == "size":
            given["size"] = tuple(max(1, round(size)) for size in given["size"])

    def _by_axis(self, value: Any, name: str, steps: Sequence[Any]) -> tuple[float, ...]:
        """Return a width along each dimension."""
        widths = several(value)
        widths = (value,) * len(steps) if widths is None else widths
        if len(widths) != len(steps):
            raise ValueError(f"{name}={value!r}: one for each of {_words(self.dims)} is allowed")
        return tuple(_ratio(w, s, name) for w, s in zip(widths, steps, strict=True))

    def _alike(self, value: Any, name: str, steps: Sequence[Any]) -> Any:
        """Return a length that is the same along all dimensions; ValueError where there is none."""
        if max(steps) / min(steps) > 1 + UNEVEN:
            named = ", ".join(
                f"{dim!r}: {step}" for dim, step in zip(self.dims, steps, strict=True)
            )
            raise ValueError(
                f"units='coordinates': {name} is one length along all dimensions, and their steps "
                f"differ ({named}); give it in samples"
            )
        lengths = several(value)
        if lengths is None:
            return _ratio(value, steps[0], name)
        return tuple(_ratio(length, steps[0], name) for length in lengths)

    # ---- results

    def result(self, y: Any, kept: Kept, new: Mapping[str, Any]) -> Any:
        """Return samples with the coordinates that are kept, and those of new dimensions."""
        source = self.source
        made = xarray.DataArray(
            y,
            coords=_cut(source.coords.to_dataset(), kept).coords,
            dims=(*new, *source.dims),
            name=source.name,
            attrs=dict(source.attrs),
        )
        return made.assign_coords({name: (name, values) for name, values in new.items()})


def _cut(dataset: Any, kept: Kept) -> Any:
    """Return the variables of a data set at the samples that are kept.

    Those along a dimension of which none are kept are left out.
    """
    there = {dim: part for dim, part in kept.items() if dim in dataset.dims}
    gone = [dim for dim, part in there.items() if part is None]
    return dataset.drop_dims(gone).isel({d: p for d, p in there.items() if p is not None})


def _dimensions(source: Any, dims: object, ndims: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the dimensions that are filtered, where it is clear which."""
    if dims is None:
        if source.ndim in ndims:
            return tuple(source.dims)
        words = " or ".join(map(str, ndims))
        raise ValueError(
            f"dims= says along which of the dimensions {_words(source.dims)} is filtered; only "
            f"for {words} of them it is clear"
        )
    named = (dims,) if isinstance(dims, str) else several(dims)
    if named is None:
        named = (dims,)
    for dim in named:
        if dim not in source.dims:
            raise ValueError(f"there is no dimension {dim!r}; there are {_words(source.dims)}")
    if len(set(named)) < len(named):
        raise ValueError(f"dims={dims!r} names a dimension twice")
    return named


def _words(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names)) if names else "none"


def _equal(x: Any, nodata: Any) -> Any:
    """Return where samples are the value that stands for none."""
    try:
        value = float(nodata)
    except (TypeError, ValueError):
        raise TypeError(f"nodata={nodata!r}: a number is allowed") from None
    if value != value:
        return np.isnan(x)
    # A number of 64 bits that the file's 32 have rounded is still the same value.
    return x == (x.dtype.type(nodata) if x.dtype.kind == "f" else nodata)


def _step(source: Any, dim: Any) -> Any:
    """Return the distance between neighbours of a coordinate; ValueError if it is not one."""
    where = f"units='coordinates': the coordinate of {dim!r}"
    if dim not in source.coords:
        raise ValueError(
            f"units='coordinates': dimension {dim!r} has no coordinate; give widths in samples"
        )
    values = source.coords[dim].values
    if values.dtype.kind not in "iufmM":
        raise ValueError(f"{where} has dtype {values.dtype}, and has no lengths; give samples")
    if len(values) < 2:
        raise ValueError(f"{where} has {len(values)} values, and no step; give widths in samples")
    numbers = values.astype("M8[ns]" if values.dtype.kind == "M" else values.dtype)
    is_time = numbers.dtype.kind in "mM"
    numbers = (numbers - numbers[0]).astype("m8[ns]") if is_time else numbers.astype(np.float64)
    numbers = numbers.astype(np.int64).astype(np.float64) if is_time else numbers
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    even = numbers[0] + step * np.arange(len(numbers))
    # Coordinates are often of 32 bits, which is no unevenness.
    rounding = 0 if is_time else 4 * np.abs(numbers).max() * _resolution(values.dtype)
    if not step or not np.all(np.abs(numbers - even) <= abs(step) * UNEVEN + rounding):
        steps = np.diff(values)
        raise ValueError(
            f"{where} is uneven, with steps from {steps.min()} to {steps.max()}; interpolate it to "
            "an even one, or give widths in samples"
        )
    return pd.Timedelta(abs(step), "ns") if is_time else abs(step)


def _resolution(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def _ratio(width: Any, step: Any, name: str) -> float:
    """Return a width in samples."""
    is_time = isinstance(step, pd.Timedelta)
    kind = "a duration" if is_time else "a number"
    wrong = TypeError(f"{name}={width!r}: {kind} is allowed, as the coordinate is of such")
    if is_time and isinstance(width, int | float | np.floating):
        raise wrong  # pandas would take it for nanoseconds
    try:
        return float((pd.Timedelta(width) if is_time else width) / step)
    except (TypeError, ValueError):
        raise wrong from None


def _signature(function: Callable[..., Any], row: _Row | None) -> inspect.Signature:
    """Return the signature of a method: dimensions in the place of axes."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    only = inspect.Parameter.KEYWORD_ONLY
    front = [inspect.Parameter("self", kind)]
    rest: list[inspect.Parameter] = []
    if row is None:
        front.append(inspect.Parameter("kernel", kind))
    elif row.direction:
        front.append(inspect.Parameter("dim", kind))
    for name, parameter in inspect.signature(function).parameters.items():
        if name in REPLACED:
            continue
        plain = parameter.replace(annotation=inspect.Parameter.empty)
        if row is not None and name == row.widths:
            plain = plain.replace(default=None)  # keywords may give it
        (rest if parameter.kind is only else front).append(plain)
    names = ["dims", "nodata"]
    if "nan_policy" in inspect.signature(function).parameters:
        names.append("skipna")
    if row is not None and row.lengths:
        names.append("units")
    own = [
        inspect.Parameter(name, only, default="samples" if name == "units" else None)
        for name in names
    ]
    last = []
    if row is not None and row.widths is not None:
        last.append(inspect.Parameter(_keywords(row.widths), inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature([*front, own[0], *rest, *own[1:], *last])


def _bound(signature: inspect.Signature, name: str, row: _Row | None, *args: Any, **kw: Any) -> Any:
    """Return the arguments of a method by their names, defaults included."""
    try:
        bound = signature.bind(*args, **kw)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    bound.apply_defaults()
    given = dict(bound.arguments)
    del given["self"]
    if row is not None and row.widths is not None:
        parameters = inspect.signature(getattr(filters, name)).parameters
        required = parameters[row.widths].default is inspect.Parameter.empty
        _name_dimensions(row.widths, given, required)
    return given


def _name_dimensions(widths: str, given: dict[str, Any], required: bool) -> None:
    """Take the dimensions from widths that are given by their names."""
    named = given.pop(_keywords(widths))
    if named and given[widths] is not None:
        raise ValueError(
            f"{widths}={given[widths]!r} and {_words(tuple(named))} as keywords: one of them is "
            "allowed"
        )
    if named:
        given[widths] = named
    if isinstance(given[widths], Mapping) and given["dims"] is None:
        given["dims"] = tuple(given[widths])
    if given[widths] is None and required:
        raise TypeError(f"{widths} is missing: one for all dimensions, or each by its name")


def _keywords(widths: str) -> str:
    """Return what a signature calls the keywords that give widths."""
    return f"{widths}_of"


def _filtered(name: str, row: _Row, source: Any, arguments: dict[str, Any]) -> tuple[Any, Kept]:
    """Return one variable, filtered, and what is kept of its dimensions."""
    given = dict(arguments)
    units, direction = given.pop("units", "samples"), given.pop("dim", None)
    call = _Call(source, row.ndims, given, "symmetric")
    call.in_samples(row, units)
    if row.direction:
        _dimensions(source, direction, ())
        if direction not in call.dims:
            raise ValueError(f"dim={direction!r}: one of {_words(call.dims)} is allowed")
        given["axis"] = source.dims.index(direction)
    y = getattr(filters, name)(source.data, axes=call.axes, **given)
    strides = several(given["stride"]) or (given["stride"],) * len(call.dims)
    kept = {d: slice(None, None, s) for d, s in zip(call.dims, strides, strict=True) if s != 1}
    return call.result(y, kept, _new_coordinates(row, arguments)), kept


def _new_coordinates(row: _Row, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the dimensions in front of a result are numbered by."""
    new = {}
    for dim in row.new:
        value = arguments[f"{dim}s"]
        if dim == "orientation" and several(value) is None:
            value = np.pi * np.arange(value) / value
        new[dim] = np.atleast_1d(np.asarray(value))
    return new


def _with_kernel(name: str, source: Any, arguments: dict[str, Any]) -> tuple[Any, Kept]:
    """Return one variable, correlated with a kernel, and what is kept of its dimensions."""
    given = dict(arguments)
    kernel = given.pop("kernel")
    if isinstance(kernel, xarray.DataArray):
        given["dims"] = kernel.dims if given["dims"] is None else given["dims"]
        dims = _dimensions(source, given["dims"], ())
        if set(dims) != set(kernel.dims):
            raise ValueError(
                f"kernel has the dimensions {_words(kernel.dims)}, and dims= names {_words(dims)}"
            )
        kernel = kernel.transpose(*dims).data
    w = np.asarray(kernel)
    call = _Call(source, (w.ndim,), given, "constant")
    if len(call.dims) != w.ndim:
        raise ValueError(
            f"kernel has {w.ndim} dimensions, and dims= names {len(call.dims)}: {_words(call.dims)}"
        )
    if isinstance(arguments["mode"], Mapping):
        given["mode"] = [(pad, pad) if several(pad) is None else pad for pad in given["mode"]]
    words = {word: given[word] for word in ("mode", "boundary", "fill_value", "stride", "dilation")}
    if given.get("nan_policy", "omit") == "omit" and words["fill_value"] != words["fill_value"]:
        words["fill_value"] = 0  # outside is missing
    options = CallOptions(axes=call.axes, **words)
    x = source.data
    problem = make_problem(x.shape, x.dtype, w.shape, w.dtype, **options.of_problem())
    check_whole_strides(problem, "the coordinates of a dimension take")
    y = KERNELS[name](x, w, axes=call.axes, **given)
    kept: dict[Any, slice | None] = {}
    for dim, axis in zip(call.dims, problem.spatial, strict=True):
        first = axis.span // 2 - axis.low
        last = first + (axis.out - 1) * axis.stride
        if first < 0 or last >= axis.size:
            kept[dim] = None
        elif (first, axis.stride, axis.out) != (0, 1, axis.size):
            kept[dim] = slice(first, last + 1, axis.stride)
    return call.result(y, kept, {}), kept


class _Accessor:
    """What the accessors of arrays and data sets share."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def _each(self, solve: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        raise NotImplementedError


class DataArrayAccessor(_Accessor):
    """Filters and correlations of a `xarray.DataArray`, as its attribute ``pyconv``.

    Its methods are the functions of `pyconv.filters`, and `pyconv.correlate`, `pyconv.convolve`
    and `pyconv.coverage`, with dimensions in the place of axes. The result has the coordinates,
    the attributes and the name of the array. A `stride` cuts the coordinates. A result of a
    window belongs to the sample under the window's centre, whose coordinate it gets; a dimension
    with results beyond the samples (``mode='full'``) has none.

    Parameters
    ----------
    source : xarray.DataArray
        The array, of any number of dimensions. NumPy or dask holds its samples.

    Notes
    -----
    All methods take these arguments beside those of the function:

    dims : str or sequence of str
        The dimensions that are filtered, in the order in which a kernel has its axes. By default
        those that keywords name, those of a kernel that is a `xarray.DataArray`, or all of an
        array of one or two dimensions.
    units : {'samples', 'coordinates'}
        What widths and lengths are measured in. A duration is one along a coordinate of times, and
        a window of ``box`` has the nearest whole number of samples. An uneven coordinate is
        refused.
    skipna : bool, optional
        True leaves NaN out, as ``nan_policy='omit'`` does.
    nodata : number, optional
        The value of samples that are left out, as `mask` leaves them out.
    mask : xarray.DataArray or array_like of bool, optional
        True for samples that are left out. The coordinates of a `xarray.DataArray` must be those
        of the array, and dimensions may be absent.

    A width may be one number, a mapping from dimensions, or keywords: ``gaussian(x=2, y=2)``. So
    may `boundary`, `stride`, `dilation` and `order` be mappings, and the pads of `mode`;
    dimensions that they leave out have the default.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray
    >>> import pyconv.xarray
    >>> rain = xarray.DataArray(
    ...     np.eye(4), {"y": [40.0, 30.0, 20.0, 10.0], "x": [0, 5, 10, 15]}, name="rain"
    ... )
    >>> rain.pyconv.box(x=3).sel(y=30).values.round(2)
    array([0.33, 0.33, 0.33, 0.  ])

    A Gaussian with a standard deviation of 10 units along both coordinates, every second result:

    >>> smooth = rain.pyconv.gaussian(10, units="coordinates", stride=2)
    >>> smooth.name, smooth.y.values, smooth.x.values
    ('rain', array([40., 20.]), array([ 0, 10]))

    A derivative towards larger indices of a dimension, and a kernel of one dimension:

    >>> rain.pyconv.sobel("x").sel(x=5).values
    array([-3.,  0.,  2.,  1.])
    >>> rain.pyconv.correlate([1, 1, 1], dims="y").y.values
    array([30., 20.])
    """

    def _each(self, solve: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        result, _ = solve(self._source, arguments)
        return result


class DatasetAccessor(_Accessor):
    """Filters and correlations of each variable of a `xarray.Dataset`, as its attribute ``pyconv``.

    Its methods are those of `DataArrayAccessor`. Variables with all dimensions that are named are
    filtered. Others are kept; along the dimensions that a stride or a window has cut, they are cut
    as the coordinates are.

    Parameters
    ----------
    source : xarray.Dataset
        The variables.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray
    >>> import pyconv.xarray
    >>> weather = xarray.Dataset(
    ...     {"rain": (("t", "x"), np.eye(4)), "height": ("x", [1, 2, 3, 4])}
    ... )
    >>> weather.pyconv.box(t=2, stride=2)["rain"].values
    array([[1. , 0. , 0. , 0. ],
           [0. , 0.5, 0.5, 0. ]])
    """

    def _each(self, solve: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        source = self._source
        arguments["dims"] = dims = _named(source, arguments)
        results: dict[Any, Any] = {}
        kept: Kept = {}
        for name, variable in source.data_vars.items():
            if set(dims) <= set(variable.dims):
                try:
                    results[name], kept = solve(variable, arguments)
                except (TypeError, ValueError, OverflowError, MemoryError) as error:
                    error.add_note(f"This is the variable {name!r} of the data set.")
                    raise
        if not results:
            raise ValueError(f"no variable has all of the dimensions {_words(dims)}")
        others = source.drop_vars(list(results))
        beyond = {dim for dim, part in kept.items() if part is None}
        for name, variable in others.data_vars.items():
            if beyond & set(variable.dims):
                raise ValueError(
                    f"the results extend {_words(sorted(beyond, key=str))}, along which {name!r} "
                    "has no more samples; drop this variable, or keep the extent"
                )
        made = _cut(others, kept).assign(results)
        return made[[*source.data_vars]].assign_attrs(source.attrs)


def _named(source: Any, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the dimensions that a call names; ValueError if a data set has no such."""
    dims = arguments["dims"]
    if dims is None and isinstance(arguments.get("kernel"), xarray.DataArray):
        dims = arguments["kernel"].dims
    if dims is None:
        raise ValueError(
            f"dims= says along which of the dimensions {_words(tuple(source.sizes))} the variables "
            "are filtered"
        )
    named = (dims,) if isinstance(dims, str) else several(dims) or (dims,)
    for dim in named:
        if dim not in source.sizes:
            raise ValueError(
                f"there is no dimension {dim!r}; there are {_words(tuple(source.sizes))}"
            )
    return named


def _method(name: str, function: Callable[..., Any], row: _Row | None) -> Callable[..., Any]:
    """Return a function as a method of the accessors."""
    signature = _signature(function, row)
    solve: Any = partial(_with_kernel if row is None else _filtered, name)
    if row is not None:
        solve = partial(solve, row)

    def method(*args: Any, **kwargs: Any) -> Any:
        return args[0]._each(solve, _bound(signature, name, row, *args, **kwargs))

    method.__name__ = name
    method.__qualname__ = f"_Accessor.{name}"
    method.__doc__ = _docstring(name, function, row)
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method


def _docstring(name: str, function: Callable[..., Any], row: _Row | None) -> str | None:
    """Return what a method does, and where its arguments are described."""
    if function.__doc__ is None:  # under `python -OO`
        return None
    summary = inspect.cleandoc(function.__doc__).partition("\n\n")[0]
    where = f"pyconv.{name}" if row is None else f"pyconv.filters.{name}"
    text = f"{summary}\n\n`{where}` describes the arguments, and `DataArrayAccessor` those beside."
    if row is not None and row.widths is not None:
        text += f" Keywords give `{row.widths}` along each dimension: ``{name}(x=2, y=3)``."
    return text


for _name, _row in FILTERS.items():
    setattr(_Accessor, _name, _method(_name, getattr(filters, _name), _row))
for _name, _function in KERNELS.items():
    setattr(_Accessor, _name, _method(_name, _function, None))

xarray.register_dataarray_accessor("pyconv")(DataArrayAccessor)
xarray.register_dataset_accessor("pyconv")(DatasetAccessor)
