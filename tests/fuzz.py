"""Call the public functions with drawn arguments, for a time; keep what fails as small JSON.

    python -m tests.fuzz --seconds 60 --seed 0

draws case after case (`fuzz_cases.py`), checks each, and prints every failure as one line, which
runs it again:

    python -m tests.fuzz --case '{"family": "sums", …}'

A case that fails is made smaller where a smaller one fails in the same way, and written to the
corpus, whose files ``test_fuzz.py`` runs with every run of the tests. The exit status says whether
something failed.
"""

import argparse
import hashlib
import json
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the oracles, as pytest finds them

import fuzz_cases

CORPUS = Path(__file__).with_name("corpus")
SECONDS_TO_SHRINK = 10.0


def failure(case):
    """Return how a case fails, or None."""
    try:
        fuzz_cases.check(case)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
        return error
    return None


def kind(error):
    """Return what two failures of one fault have in common: where, and the words before a colon."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error), frames[-1].name, str(error).partition(":")[0]


def shrunk(case, error, seconds=SECONDS_TO_SHRINK):
    """Return a case that fails in the same way and has no smaller one that does."""
    end = time.monotonic() + seconds
    again = True
    while again and time.monotonic() < end:
        again = False
        for less in fuzz_cases.smaller(case):
            found = failure(less)
            if found is not None and kind(found) == kind(error):
                case, again = less, True
                break
            if time.monotonic() > end:
                break
    return case


def line(case):
    """Return a case as one line."""
    return json.dumps(case, sort_keys=True)


def write(case, error, corpus):
    """Write a case to the corpus; its name is of its content."""
    corpus.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(line(case).encode()).hexdigest()[:10]
    path = corpus / f"{case['family']}-{name}.json"
    said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    path.write_text(json.dumps({"failed with": said, "case": case}, indent=1) + "\n")
    return path


def report(case, error):
    """Print a failure and the line that runs it again."""
    print(f"{type(error).__name__}: {str(error)[:300]}")
    if not isinstance(error, fuzz_cases.Wrong):
        traceback.print_exception(error, limit=-4)
    print(f"    python -m tests.fuzz --case '{line(case)}'", flush=True)


def run(options):
    """Draw and check cases until the time is over or all are drawn; return the kinds of failure."""
    end = time.monotonic() + options.seconds
    seed, found = options.seed << 32, {}
    families = options.family or list(fuzz_cases.FAMILIES)
    counts = dict.fromkeys(families, 0)
    while time.monotonic() < end and sum(counts.values()) < options.cases:
        case = fuzz_cases.draw(seed, families)
        if options.verbose:
            print(line(case), flush=True)
        seed += 1
        counts[case["family"]] += 1
        error = failure(case)
        if error is None:
            continue
        key = (case["family"], case.get("name"), *kind(error))
        if key in found:
            found[key] += 1
            continue
        found[key] = 1
        case = shrunk(case, error)
        error = failure(case) or error
        report(case, error)
        if options.corpus:
            print(f"    {write(case, error, options.corpus)}", flush=True)
    print(", ".join(f"{name} {count}" for name, count in counts.items()))
    cases, failures = sum(counts.values()), sum(found.values())
    print(f"{cases} cases, {failures} failures of {len(found)} kinds")
    return len(found)


def main(arguments=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cases", type=int, default=sys.maxsize, help="the most that are drawn")
    parser.add_argument("--seed", type=int, default=0, help="where the cases begin")
    parser.add_argument("--corpus", type=Path, help="folder to write failing cases to")
    parser.add_argument("--family", action="append", choices=list(fuzz_cases.FAMILIES))
    parser.add_argument("--case", help="one case, as JSON, or a file of the corpus")
    parser.add_argument("--verbose", action="store_true", help="print each case before it runs")
    options = parser.parse_args(arguments)
    if options.case is None:
        return 1 if run(options) else 0
    text = options.case if options.case.lstrip().startswith("{") else Path(options.case).read_text()
    case = json.loads(text)
    case = case.get("case", case)
    error = failure(case)
    if error is None:
        print("passes")
        return 0
    report(case, error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
