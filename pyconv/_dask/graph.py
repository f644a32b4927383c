"""The graph of a call: one task for each chunk of the result, which takes the chunks that it reads.

No chunk is padded, joined or cut by a task of its own. Besides the tasks of chunks there is one
node, which holds the plan of the call.
"""

from __future__ import annotations

import itertools
import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, List, Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from pyconv._engine.dtypes import supported
from pyconv._engine.mosaic import Mosaic
from pyconv._engine.output_arrays import recycling
from pyconv._pieces.plan import Array, Box, PiecePlan, Source
from pyconv._pieces.reach import Read

#: A part of a chunk: its place along an axis, from and to.
Cut = tuple[int, int, int]


def lazy(
    planned: Callable[[Source], PiecePlan], x: Any, mask: Any, workers: int | None, argument: str
) -> Any:
    """Return the dask array of a call on ``x``, one of which ``mask`` or ``x`` is."""
    x, mask = _chunked(x, mask, argument)
    plan = planned(Source(x.shape, x.dtype, mask is not None))
    chunks = tuple(_result_chunks(plan, axis, sizes) for axis, sizes in enumerate(x.chunks))
    lead = tuple((n,) for n in plan.lead)
    source, dependencies = [x], [x]
    if mask is not None:
        source.append(mask)
        dependencies.append(mask)
    token = tokenize(plan, [a.name for a in source], workers)
    name = f"pyconv-{plan.name}-{token}"
    layer = _layer(name, plan, (*lead, *chunks), source, workers)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=dependencies)
    meta = np.empty((0,) * len(plan.shape), plan.dtype)
    return da.Array(graph, name, (*lead, *chunks), meta=meta)


def _chunked(x: Any, mask: Any, argument: str) -> tuple[Any, Any]:
    """Return both as dask arrays of the same chunks, where there is a mask."""
    if not isinstance(x, da.Array):
        samples = np.asarray(x)  # the mask is the one in chunks
        wide = da.broadcast_to(mask, samples.shape)
        x = da.from_array(samples, chunks=wide.chunks)
    _check(x, argument)
    if mask is None:
        return x, None
    in_chunks = isinstance(mask, da.Array)
    if in_chunks:
        _check(mask, "mask")
    else:
        mask = np.asarray(mask)
    if mask.dtype != np.bool:
        raise TypeError(
            f"mask has dtype {mask.dtype}; bool is allowed, True for samples to leave out"
        )
    try:
        wide = (da if in_chunks else np).broadcast_to(mask, x.shape)
    except ValueError:
        raise ValueError(
            f"mask has shape {mask.shape}, which does not broadcast to {argument}'s shape {x.shape}"
        ) from None
    if not in_chunks:
        return x, da.from_array(wide, chunks=x.chunks)
    return x, wide if wide.chunks == x.chunks else wide.rechunk(x.chunks)


def _check(x: Any, argument: str) -> None:
    """Raise for an array whose chunks are unknown, or whose samples are none that are summed."""
    if any(np.isnan(n) for sizes in x.chunks for n in sizes):
        raise ValueError(
            f"{argument} has chunks of unknown size; call its compute_chunk_sizes() first"
        )
    if not isinstance(x._meta, np.ndarray) or isinstance(x._meta, np.ma.MaskedArray):
        raise TypeError(
            f"{argument} has chunks of {type(x._meta).__name__}; NumPy arrays are allowed, and a "
            "mask of its own as mask="
        )
    if argument != "mask":
        supported(x.dtype, argument)


# ---- chunks -----------------------------------------------------------------------------------


def _result_chunks(plan: PiecePlan, axis: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the chunks of the results along an axis of the array.

    A result lies in the chunk of the sample at its place. Those before the first sample are in the
    first chunk that has results, those behind the last one in the last.
    """
    reach = next((r for r in plan.reaches if r.axis == axis), None)
    if reach is not None and reach.joined:
        return (reach.out,)
    if reach is None or (reach.out == reach.size and reach.stride == reach.up == 1):
        return sizes
    # Result i has its place at ⌊(i·s + phase) / up⌋ + place: those before an end are
    # ⌈((end − place)·up − phase) / s⌉.
    ends = (np.cumsum(sizes) - reach.place) * reach.up - reach.phase
    counts = np.clip(-(-ends // reach.stride), 0, reach.out)
    counts[-1] = reach.out
    chunks = np.diff(counts, prepend=0)
    kept = tuple(int(n) for n in chunks if n > 0)
    return kept or (0,)


def _boxes(chunks: Sequence[tuple[int, ...]]) -> Iterator[tuple[tuple[int, ...], Box]]:
    """Yield the place of each chunk, and the box of results that it is."""
    bounds = [[0, *itertools.accumulate(sizes)] for sizes in chunks]
    for at in itertools.product(*(range(len(sizes)) for sizes in chunks)):
        yield at, tuple((b[i], b[i + 1]) for b, i in zip(bounds, at, strict=True))


def _cuts(read: Read, n: int, starts: Sequence[int]) -> tuple[Cut, ...]:
    """Return the parts of chunks that are read along an axis, in their order in the block."""
    cuts: list[Cut] = []
    if read.size == 0:
        return ((0, 0, 0),)
    for part in read.slices(n):
        at = part.start
        while at < part.stop:
            i = bisect_right(starts, at) - 1
            stop = min(part.stop, starts[i + 1])
            cuts.append((i, at - starts[i], stop - starts[i]))
            at = stop
    return tuple(cuts)


def _layer(
    name: str,
    plan: PiecePlan,
    chunks: Sequence[tuple[int, ...]],
    sources: Sequence[Any],
    workers: int | None,
) -> dict[Any, Any]:
    x = sources[0]
    starts = [[0, *itertools.accumulate(sizes)] for sizes in x.chunks]
    held = f"{name}-plan"
    layer: dict[Any, Any] = {held: DataNode(held, plan)}
    shared = TaskRef(held)
    known: list[dict[Read, tuple[Cut, ...]]] = [{} for _ in starts]
    for at, box in _boxes(chunks):
        along = []
        for read, n, edges, seen in zip(plan.reads(box), x.shape, starts, known, strict=True):
            cuts = seen.get(read)
            if cuts is None:
                cuts = seen[read] = _cuts(read, n, edges)
            along.append(cuts)
        places = list(itertools.product(*([cut[0] for cut in cuts] for cuts in along)))
        spans = tuple(tuple(cut[1:] for cut in cuts) for cuts in along)
        blocks = [List(*(TaskRef((a.name, *place)) for place in places)) for a in sources]
        key = (name, *at)
        layer[key] = Task(key, solve_chunk, shared, box, spans, workers, *blocks)
    return layer


# ---- a task -----------------------------------------------------------------------------------


def solve_chunk(
    plan: PiecePlan,
    box: Box,
    spans: tuple[tuple[tuple[int, int], ...], ...],
    workers: int | None,
    blocks: Sequence[Array],
    masks: Sequence[Array] | None = None,
) -> Array:
    """Return a chunk of the results, from the chunks of the array that it reads."""
    block = _window(blocks, spans, "samples")
    mask = None if masks is None else _window(masks, spans, "mask")
    with recycling():
        y = plan.solve(block, box, mask, 1 if workers is None else workers)
    base: Any = y
    while isinstance(base.base, np.ndarray):
        base = base.base
    read = block.array if isinstance(block, Mosaic) else block
    lent = read is not None and np.may_share_memory(base, read)
    larger = base.nbytes > 2 * y.nbytes + SPARE
    return y.copy() if larger or lent else y


#: Bytes by which the memory of a result may be larger than it.
SPARE = 4096


#: Memory in which a thread joins samples, and masks, by dtype: fresh pages would take as long.
_kept = threading.local()
#: Bytes that are kept at most.
MOST_KEPT = 64 << 20


def _window(
    blocks: Sequence[Array], spans: tuple[tuple[tuple[int, int], ...], ...], what: str
) -> Array | Mosaic:
    """Return what a chunk of the results reads: a part of one chunk, or parts of several."""
    if len(blocks) == 1:
        return blocks[0][tuple(slice(*cuts[0]) for cuts in spans)]
    kept: dict[np.dtype, Array] = vars(_kept).setdefault(what, {})
    return Mosaic([*blocks], spans, partial(_room, kept))


def _room(kept: dict[np.dtype, Array], shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Return an array that lasts until the next one of its dtype is asked for."""
    size = math.prod(shape)
    if size * dtype.itemsize > MOST_KEPT:
        return np.empty(shape, dtype)
    room = kept.get(dtype)
    if room is None or room.size < size:
        room = kept[dtype] = np.empty(size, dtype)
    return room[:size].reshape(shape)
