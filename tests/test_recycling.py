"""Memory of results that are gone, which later ones are made in."""

import numpy as np

from pyconv._engine.output_arrays import Rooms, empty, recycling


def test_memory_of_results_that_are_gone_is_used_again():
    shape, dtype = (300, 400), np.dtype(np.float32)
    with recycling():
        first = empty(shape, dtype)
        other = empty(shape, dtype)
        place = first.ctypes.data
        part = first[2:]
        del first
        assert not np.may_share_memory(empty(shape, dtype), part)
        del part
        again = empty(shape, dtype)
        assert again.ctypes.data == place
        assert not np.may_share_memory(again, other)
    del again
    assert not np.may_share_memory(empty(shape, dtype), other)


def test_memory_that_is_held_for_results_is_bounded():
    rooms = Rooms(64 << 20, 16 << 20)
    taken = [rooms.take(1 << 20) for _ in range(100)]
    assert len({room.ctypes.data for room in taken}) == 100
    assert sum(room.size for room in rooms._rooms) <= 64 << 20
    assert rooms._held == sum(room.size for room in rooms._rooms)
    del taken
    assert rooms.take(2 << 20).size == 2 << 20  # none is twice as large as what is asked for
    assert sum(room.size for room in rooms._rooms) <= 64 << 20
    assert rooms.take(17 << 20).size == 17 << 20
    assert max(room.size for room in rooms._rooms) == 2 << 20
