"""The library's own tables, read from the source beside this package instead of from what runs.

asv runs a benchmark by the number of its parameters, which must be the same in every commit that it
compares; what is installed then may be a commit that lacks an algorithm, and says so. So the names
are those of the working tree. A test compares them with the tables.
"""

import ast
import re
from pathlib import Path

ENGINE = Path(__file__).parents[1] / "pyconv" / "_engine"


def _value(file: str, name: str) -> ast.expr:
    """Return what a module-level ``name`` is set to."""
    for node in ast.parse((ENGINE / file).read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and node.value:
            return node.value
    raise LookupError(f"{file} sets no {name}")


def _algorithms(table: str) -> tuple[str, ...]:
    """Return names of algorithms: ``Winograd(4)`` is winograd4, ``LayerIm2col()`` is im2col.

    ``DepthwiseLanes()`` is depthwise_lanes.
    """
    value = _value("algorithms/__init__.py", table)
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
    return tuple(
        re.sub("(?<=[a-z])(?=[A-Z])", "_", ast.unparse(call.func).removeprefix("Layer")).lower()
        + "".join(map(ast.unparse, call.args))
        for call in calls
    )


def _keys(file: str, table: str) -> list[ast.expr]:
    value = _value(file, table)
    assert isinstance(value, ast.Dict)
    return [key for key in value.keys if key is not None]


ALGORITHM_NAMES = _algorithms("ALGORITHMS")
LAYER_ALGORITHM_NAMES = _algorithms("LAYER_ALGORITHMS")
WEIGHT_GRADIENT_NAMES = _algorithms("WEIGHT_GRADIENT_ALGORITHMS")
BOUNDARY_NAMES = tuple(ast.literal_eval(key) for key in _keys("boundaries.py", "BOUNDARIES"))
#: ``np.dtype(np.float32)`` is float32.
DTYPE_NAMES = tuple(
    ast.unparse(key).removesuffix(")").rpartition(".")[2] for key in _keys("dtypes.py", "DTYPES")
)
