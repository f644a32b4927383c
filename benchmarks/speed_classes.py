"""CLASSES: the classes of the speed table. To add one, write its rows and one entry."""

import timeit
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

import pyconv
from benchmarks.cases import Case, error, tolerance
from benchmarks.missing_and_matching import (
    ASTROPY,
    OPENCV,
    SKIMAGE,
    TWICE,
    omission_rows,
    template_rows,
)
from benchmarks.peers import PEER_EPSILONS, PEERS, installed
from benchmarks.pools import TORCH, pool_rows
from benchmarks.resident import growth_in_fresh_process
from benchmarks.speed import Comparison, Goal, Measurement, Profile, Row, WrongResultError
from benchmarks.timing import clock
from pyconv._engine.algorithms import ALGORITHMS
from pyconv._engine.problem import make_problem

OURS = "pyconv"
OVERHEAD_CALLS = 1000
OVERHEAD_REPEATS = 50


def cases_1d(profile: Profile) -> list[Case]:
    """Return signals in and out of the cache, extended by zeros as NumPy does."""
    lengths = (10**4,) if profile.quick else (10**4, 10**6)
    taps = (3, 17, 127) if profile.quick else (3, 5, 9, 17, 31, 63, 127)
    return [Case((n,), (k,), boundary="constant") for n in lengths for k in taps]


def cases_2d(profile: Profile) -> list[Case]:
    """Return images in and out of the cache."""
    sizes = (512,) if profile.quick else (512, 2048)
    taps = (3, 7, 15) if profile.quick else (3, 5, 7, 9, 11, 13, 15)
    return [Case((n, n), (k, k)) for n in sizes for k in taps]


def cases_3d(profile: Profile) -> list[Case]:
    """Return volumes in and out of the cache."""
    sizes = (64,) if profile.quick else (64, 128)
    return [Case((n,) * 3, (k,) * 3) for n in sizes for k in (3, 5, 7)]


def large_kernels(ndim: int) -> Callable[[Profile], list[Case]]:
    """Return the cases of one to three dimensions that transforms are for."""
    sizes = {1: 10**6, 2: 2048, 3: 128}
    taps = {1: (1001, 10_001, 100_001), 2: (15, 31, 63, 101, 127), 3: (9, 15, 31)}

    def cases(profile: Profile) -> list[Case]:
        chosen = taps[ndim][:2] if profile.quick else taps[ndim]
        size = 512 if profile.quick and ndim == 2 else sizes[ndim]
        return [Case((size,) * ndim, (k,) * ndim, boundary="constant") for k in chosen]

    return cases


def checker(
    case: Case, x: np.ndarray, w: np.ndarray, exact: np.ndarray
) -> Callable[[str, np.ndarray], None]:
    """Return the check of one contender's result against ``exact``."""
    bound = tolerance(case)
    peer_bound = max(bound, PEER_EPSILONS * float(np.finfo(case.result_dtype).eps))

    def check(name: str, y: np.ndarray) -> None:
        found = error(y, exact, x, w)
        allowed = bound if name.startswith(OURS) else peer_bound
        if not found <= allowed:
            raise WrongResultError(
                f"{case.label}: {name} differs from the definition by {found:.2g} "
                f"of max|x|·Σ|w|, more than {allowed:.2g}"
            )

    return check


def _result(case: Case) -> np.ndarray:
    """Return an array for one contender to fill; another's would hide that it does not."""
    return np.full(case.y_shape, np.nan, case.result_dtype)


def beside_peers(cases: Callable[[Profile], list[Case]]) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of ``cases``: ours beside every peer that has such a problem."""

    def rows(profile: Profile) -> Iterator[Row]:
        for case in cases(profile):
            x, w = case.data()
            # Some 1-D peers cannot fill an array that is given to them: there nobody does.
            given = not profile.allocate and w.ndim > 1
            contenders = {OURS: case.bind(x, w, _result(case) if given else None, profile.method)}
            for peer in installed(PEERS):
                call = peer.bind(case, x, w, _result(case) if given else None)
                if call is not None:
                    contenders[peer.name] = call
            check = checker(case, x, w, case.exact_by_ndimage(x, w))
            yield Row(case.label, case.products, contenders, check, size=case.size)

    return rows


def transformed(cases: Callable[[Profile], list[Case]]) -> Callable[[Profile], Iterator[Row]]:
    """Return the rows of large kernels: ours beside OpenCV and SciPy's overlap-add."""

    def rows(profile: Profile) -> Iterator[Row]:
        for case in cases(profile):
            x, w = case.data()
            given = None if profile.allocate else _result(case)
            contenders = {OURS: case.bind(x, w, given, profile.method)}
            for peer in installed(PEERS):
                if peer.name in ("OpenCV", "signal.oaconvolve"):
                    call = peer.bind(case, x, w, None if given is None else _result(case))
                    if call is not None:
                        contenders[peer.name] = call
            check = checker(case, x, w, case.exact_by_transform(x, w))
            yield Row(case.label, case.products, contenders, check, size=case.size)

    return rows


def float64_rows(profile: Profile) -> Iterator[Row]:
    """Yield the images in float64 beside the same in float32."""
    for single in cases_2d(profile):
        x, w = single.data()
        double = replace(single, x_dtype="float64", w_dtype="float64")
        wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
        contenders = {
            f"{OURS} float64": double.bind(wide_x, wide_w, _result(double), profile.method),
            f"{OURS} float32": single.bind(x, w, _result(single), profile.method),
        }
        check = checker(single, x, w, single.exact_by_ndimage(x, w))
        yield Row(single.label, single.products, contenders, check, size=double.size)


def uint8_rows(profile: Profile) -> Iterator[Row]:
    """Yield images of bytes, with float32 results, beside the same as float32."""
    for single in cases_2d(profile):
        case = replace(single, x_dtype="uint8")
        x, w = case.data()
        floats = x.astype(np.float32)
        contenders = {
            f"{OURS} uint8": case.bind(x, w, _result(case), profile.method),
            f"{OURS} float32": single.bind(floats, w, _result(single), profile.method),
        }
        for peer in installed(PEERS):
            call = peer.bind(case, x, w, _result(case)) if peer.name == "OpenCV" else None
            if call is not None:
                contenders[peer.name] = call
        check = checker(case, x, w, case.exact_by_ndimage(x, w))
        yield Row(single.label, single.products, contenders, check, size=case.size)


def workspaces(profile: Profile) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yield the KiB that a thread of `direct` announces and those that a call is seen to take."""
    (direct,) = (a for a in ALGORITHMS if a.name == "direct")
    smaller = replace(profile, quick=True)
    for single in (*cases_1d(smaller), *cases_2d(profile), *cases_3d(profile)):
        for dtype in ("float32", "float64"):
            case = replace(single, x_dtype=dtype, w_dtype=dtype)
            problem = make_problem(
                case.x_shape, np.dtype(dtype), case.w_shape, np.dtype(dtype), **case.options
            )
            seen = growth_in_fresh_process(case, "direct")
            announced = direct.workspace(problem) / 1024
            figures = {"announced": announced, "seen": None if seen is None else seen / 1024}
            yield case.label, figures


def _best_microseconds(call: Callable[[], object], profile: Profile) -> float:
    repeats = OVERHEAD_REPEATS // (5 if profile.quick else 1)
    best = min(timeit.repeat(call, timer=clock, number=OVERHEAD_CALLS, repeat=repeats))
    return best / OVERHEAD_CALLS * 1e6


def overheads(profile: Profile) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yield the microseconds of a call whose arithmetic takes almost none."""
    x, w = Case((32, 32), (3, 3)).data()
    valid, same = np.empty((30, 30), np.float32), np.empty((32, 32), np.float32)
    calls: dict[str, Callable[[], object]] = {
        "correlate(x, w)": lambda: pyconv.correlate(x, w),
        "correlate(x, w, out=y)": lambda: pyconv.correlate(x, w, out=valid),
        'correlate(x, w, "same", "mirror")': lambda: pyconv.correlate(x, w, "same", "mirror"),
        'correlate(x, w, "same", "mirror", out=y)': lambda: pyconv.correlate(
            x, w, "same", "mirror", out=same
        ),
    }
    for label, call in calls.items():
        yield f"`{label}`", {"a call": _best_microseconds(call, profile)}


def plan_overheads(profile: Profile) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yield the same of plans."""
    x, w = Case((32, 32), (3, 3)).data()
    valid, same = np.empty((30, 30), np.float32), np.empty((32, 32), np.float32)
    for words, y in (((), valid), (("same", "mirror"), same)):
        plan = pyconv.plan(x, w, *words)
        label = ", ".join(["x, w", *(f'"{word}"' for word in words)])
        for given, call in (("x", partial(plan, x)), ("x, out=y", partial(plan, x, y))):
            yield f"`plan({label})({given})`", {"a call": _best_microseconds(call, profile)}


CLASSES: tuple[Comparison | Measurement, ...] = (
    Comparison(
        "2-D",
        "2-D float32, borders mirrored",
        OURS,
        beside_peers(cases_2d),
        (Goal(("OpenCV",), mean=2.0, each=1.0), Goal(("ndimage.correlate",), mean=20.0)),
    ),
    Comparison(
        "3-D",
        "3-D float32, borders mirrored",
        OURS,
        beside_peers(cases_3d),
        (Goal(("ndimage.correlate",), mean=20.0),),
    ),
    Comparison(
        "1-D",
        "1-D float32, zeros outside, every call makes its result",
        OURS,
        beside_peers(cases_1d),
        (Goal(("np.correlate", "signal.correlate", "ndimage.correlate1d"), mean=4.0),),
    ),
    Comparison(
        "fft",
        "2-D float32, large kernels, zeros outside",
        OURS,
        transformed(large_kernels(2)),
        (
            Goal(("OpenCV",), mean=4.0, each=4.0),
            Goal(("signal.oaconvolve",), mean=8.0, each=8.0),
        ),
    ),
    Comparison(
        "fft-1d",
        "1-D float32, large kernels, zeros outside",
        OURS,
        transformed(large_kernels(1)),
        (Goal(("signal.oaconvolve",), mean=4.0, each=4.0),),
    ),
    Comparison(
        "fft-3d",
        "3-D float32, large kernels, zeros outside",
        OURS,
        transformed(large_kernels(3)),
        (Goal(("signal.oaconvolve",), mean=3.0, each=3.0),),
    ),
    Comparison(
        "float64",
        "2-D float64 beside float32: the ratio is that of the rates",
        f"{OURS} float64",
        float64_rows,
        (Goal((f"{OURS} float32",), mean=0.5),),
    ),
    Comparison(
        "uint8",
        "2-D uint8 → float32 beside float32",
        f"{OURS} uint8",
        uint8_rows,
        (Goal((f"{OURS} float32",), mean=1.0), Goal(("OpenCV",))),
    ),
    Comparison(
        "pools",
        "Pools of float32 images, every call makes its result",
        OURS,
        pool_rows,
        (Goal((TORCH,), mean=2.0, each=1.0),),
    ),
    Comparison(
        "missing",
        "2-D float32 with a tenth missing, NaN left out",
        OURS,
        omission_rows,
        (Goal((TWICE,), mean=1.0), Goal((ASTROPY,))),
    ),
    Comparison(
        "templates",
        "Coefficients of a template, float32",
        OURS,
        template_rows,
        (Goal((SKIMAGE,), each=1.0), Goal((OPENCV,), each=1.0)),
    ),
    Measurement("workspace", "Workspace of direct on one thread", "KiB", 1024.0, workspaces),
    Measurement("overhead", "Call overhead, 32×32 with 3×3, float32", "µs", 5.0, overheads),
    Measurement("plan-overhead", "Overhead of a plan, the same", "µs", 2.0, plan_overheads),
)
