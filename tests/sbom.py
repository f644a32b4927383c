"""Add the libraries that wheels carry to a software bill of materials in CycloneDX's JSON.

    cyclonedx-py environment venv/bin/python --output-file sbom.cdx.json
    python -m tests.sbom sbom.cdx.json dist/*.whl

`cyclonedx-py` lists the package and what it needs at run time. It does not see the libraries that
delocate and delvewheel copy into wheels, such as the OpenMP run-time of a compiler.
"""

import argparse
import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

#: Folders that auditwheel, delvewheel and delocate copy libraries to.
CARRIED = re.compile(r"(?:^|/)(?:[\w.]+\.libs|\.dylibs)/[^/]+$")


def libraries(wheel: Path) -> list[dict[str, Any]]:
    """Return a component for each library of another project in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return [
            {
                "type": "library",
                "bom-ref": f"{wheel.name}/{name}",
                "name": name.rpartition("/")[2],
                "hashes": [
                    {"alg": "SHA-256", "content": hashlib.sha256(archive.read(name)).hexdigest()}
                ],
                "properties": [{"name": "wheel", "value": wheel.name}],
            }
            for name in archive.namelist()
            if CARRIED.search(name)
        ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sbom", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("bill", type=Path, help="the file, which is written again")
    parser.add_argument("wheels", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    bill = json.loads(given.bill.read_text(encoding="utf-8"))
    carried = [each for wheel in given.wheels for each in libraries(wheel)]
    bill.setdefault("components", []).extend(carried)
    given.bill.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    print(f"{given.bill}: {len(bill['components'])} components, {len(carried)} of them in wheels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
