"""Which blemish an interpreter has, and what it stands on. Prints one JSON object."""

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import blemish

PACKAGES = ("blemish", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "torch", "faiss-cpu")


def main() -> None:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    print(json.dumps({"commit": commit(), "versions": found}))


def commit() -> str:
    """Of the checkout that the package lies in; "+" where files differ from it."""
    assert blemish.__file__ is not None
    words = ["git", "-C", str(Path(blemish.__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no checkout"


if __name__ == "__main__":
    main()
