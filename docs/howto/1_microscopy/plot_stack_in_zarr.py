"""
Background subtraction of a stack on disk
=========================================

A stack of light-sheet microscopy is larger than the memory. A difference of two Gaussians takes
the slow background away and smooths the noise, in one pass from file to file. The stack here is
32 × 320 × 320 samples of uint16, 6.5 MB; nothing changes for one of 40 GB.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import zarr

import pyconv
from pyconv import filters

# %%
# The stack is made plane by plane, with cells on a background that rises to one corner. Its chunks
# are those that a microscope's software writes: whole planes, few at a time.
folder = tempfile.TemporaryDirectory()
path = Path(folder.name)
shape = (32, 320, 320)
stack = zarr.create_array(path / "stack.zarr", shape=shape, dtype="uint16", chunks=(4, 320, 320))
rng = np.random.default_rng(4)
rows, columns = np.mgrid[: shape[1], : shape[2]]
background = 900.0 + 5 * rows + 3 * columns
places = rng.integers((10, 20, 20), (26, 300, 300), (60, 3))
for z in range(shape[0]):
    plane = background.copy()
    for depth, row, column in places[np.abs(places[:, 0] - z) < 7]:
        near = np.s_[row - 15 : row + 16, column - 15 : column + 16]
        apart = (rows[near] - row) ** 2 + (columns[near] - column) ** 2 + 4 * (z - depth) ** 2
        plane[near] += 1500 * np.exp(-apart / 30)
    stack[z] = rng.poisson(plane)

# %%
# The target has the dtype of the result, float32, as differences may be negative. Its chunks need
# not be those of the source: pieces are of whole chunks of the target, and a chunk of the source
# is read once. ``max_memory`` bounds all that the stream holds.
flat = zarr.create_array(path / "flat.zarr", shape=shape, dtype="float32", chunks=(8, 128, 128))
pyconv.stream(filters.dog, stack, flat, 1.5, 30, axes=(1, 2), max_memory=25_000_000)
print(f"median of the stack {np.median(stack[:]):.0f}, of the result {np.median(flat[:]):.0f}")

# %%
# A stream that has stopped says how much is written, and goes on there: with a full disk, or after
# Ctrl-C. Here the source is one that fails.


class Unplugged:
    """A source whose cable is pulled after a while."""

    shape, dtype, chunks = stack.shape, stack.dtype, stack.chunks

    def __getitem__(self, where):
        """Return samples of the first planes."""
        if where[0].start >= 20:
            raise OSError("the cable was pulled")
        return stack[where]


again = zarr.create_array(path / "again.zarr", shape=shape, dtype="float32", chunks=(8, 128, 128))
call = {"axes": (1, 2), "max_memory": 25_000_000}
try:
    pyconv.stream(filters.dog, Unplugged(), again, 1.5, 30, **call)
except pyconv.StreamError as error:
    print(error)
    pyconv.stream(filters.dog, stack, again, 1.5, 30, resume=error.written, **call)
print("the same bits:", bool((again[:] == flat[:]).all()))

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, array, title in zip(
    axes, (stack, flat), ("plane 20", "background taken away"), strict=True
):
    fig.colorbar(ax.imshow(array[20], "gray"), ax=ax, shrink=0.8)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
folder.cleanup()
