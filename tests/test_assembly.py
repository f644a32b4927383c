"""What GCC makes of the register tiles for 64-bit ARM: sums in registers, and few instructions.

The headers are compiled by the cross compiler, where it is. `tools/arm/loops.py` counts.
"""

import runpy

import pytest
import source_tree


@pytest.fixture
def counts():
    """Return the names of the program that counts."""
    return runpy.run_path(str(source_tree.file("tools/arm/loops.py")))


def test_no_tile_is_above_its_limit(counts):
    """Every tile of `LIMITS` is there, spills nothing and multiplies no scalars."""
    if missing := counts["missing"]():
        pytest.skip(f"needs {missing}")
    found = counts["of_headers"]("stencil", "matrix", "winograd")
    names = {loop.function for loop in found}
    kinds = ("float", "double")
    assert names >= {
        f"{tile}_{kind}" for tile in ("area", "matrix_8_2", "dots_8_2") for kind in kinds
    }
    assert names >= {"area_uint64", "line_uint64", "area_int16", "product_12_2_float"}
    assert counts["broken"](found) == []


TILE = """
0000000000000000 <matrix_8_2_float>:
   0:	mov	x9, #0x0
   4:	ldp	q1, q0, [x4]
   8:	{first}
   c:	fmla	v2.4s, v0.4s, v3.s[0]
  10:	fmla	v4.4s, v0.4s, v3.s[1]
  14:	fmla	v5.4s, v0.4s, v3.s[2]
  18:	fmla	v6.4s, v0.4s, v3.s[3]
  1c:	{second}
  20:	add	x4, x4, #0x20
  24:	b.ne	4 <matrix_8_2_float+0x4>  // b.any
  28:	ret
"""


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("subs	x9, x9, #0x1", "fmla	v7.4s, v1.4s, v3.s[0]", []),
        ("ldr	q8, [sp, #16]", "fmla	v7.4s, v1.4s, v3.s[0]", ["1 accesses to the stack"]),
        ("madd	x2, x2, x3, x4", "fmla	v7.4s, v1.4s, v3.s[0]", ["1 products of scalars"]),
        ("subs	x9, x9, #0x1", "ld1r	{v9.4s}, [x1]", ["9 instructions for 4 products"]),
    ],
)  # fmt: skip
def test_what_is_too_much_is_said(counts, first, second, said):
    """The check is able to fail: a spill, a scalar product, an instruction too many."""
    found = counts["loops"](TILE.format(first=first, second=second))
    assert len(found) == 1
    assert [s.split(": ")[1].split(", more")[0] for s in counts["broken"](found)] == said
