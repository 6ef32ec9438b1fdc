"""What the extra [serve] adds to the core: packages and megabytes on the disk; and the pages' files, compressed.

python benchmarks/station_size.py --keep   (the pages are built before: make page)
"""

import argparse
import gzip
from importlib.metadata import distribution
from pathlib import Path

from machine import figure, markdown_table, publish
from packaging.requirements import Requirement

import blemish

STATIC = Path(blemish.__file__).parent / "service" / "pages" / "static"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    added = needed("blemish", {"serve"}) - needed("blemish", set())
    sizes = sorted(((_bytes(name), name) for name in added), reverse=True)
    packages = markdown_table(["package", "MB"], [[name, figure(size / 1e6)] for size, name in sizes])
    files = [path for path in sorted(STATIC.rglob("*")) if path.suffix in (".js", ".css", ".svg")]
    assert any(path.parent.name == "built" for path in files), "the pages are not built: make page"
    packed = [(path, len(gzip.compress(path.read_bytes(), 9))) for path in files]
    assets = markdown_table(["file", "kB, gzip"], [[path.name, figure(size / 1000)] for path, size in packed])
    whole = f"{len(added)} packages, {figure(sum(size for size, _ in sizes) / 1e6)} MB beyond the core."
    pages = f"{figure(sum(size for _, size in packed) / 1000)} kB for all files of the pages."
    publish("station_size", f"{__doc__}\n{whole}\n\n{packages}\n\n{pages}\n\n{assets}\n", seed="none", keep=given.keep)


def needed(name: str, extras: set[str]) -> set[str]:
    """The packages that one needs, and those that they need, as this environment has them."""
    found: set[str] = set()
    waiting = [(name, frozenset(extras))]
    seen = set()
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        for line in distribution(each[0]).requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in each[1] | {""}):
                found.add(wanted.name.lower().replace("_", "-"))
                waiting.append((wanted.name, frozenset(wanted.extras)))
    return found


def _bytes(name: str) -> int:
    """Of all files of a package, compiled ones left out."""
    files = distribution(name).files or []
    paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    main()
