"""Examine this installation: what is there, what works, and what to do where it does not."""

import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from blemish.backbones.backbone import backbone_folder, load_backbone
from blemish.errors import BackboneError
from blemish.kernels.best import best_kernels
from blemish.options.settings import Settings
from blemish.system.stream import available_threads

__all__ = ["examine_installation", "machine", "package_versions"]

_PACKAGES = (
    "blemish",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-python-headless",
    "openvino",
    "pillow",
    "pydantic",
    "safetensors",
)


def examine_installation() -> dict[str, Any]:
    """What is installed, what works, and what to do where it does not.

    Returns a dictionary for JSON: `python` and `versions`, the execution `providers` of ONNX Runtime, the `kernels`
    that coreset and search compute with, `threads`, the built-in `backbone`, the folders `backbones` and `temporary`,
    whether `torch` is loaded, and `problems`, a list of sentences that is empty where all is well.
    """
    providers, broken = _providers()
    backbone, damaged = _built_in_backbone()
    problems = [*_runtime_problems(), *broken, *damaged, *_folder_problems()]
    return {
        "python": machine(),
        "versions": package_versions(),
        "providers": providers,
        "kernels": best_kernels().described,
        "threads": available_threads(),
        "backbone": backbone,
        "backbones": str(backbone_folder()),
        "temporary": tempfile.gettempdir(),
        "torch": "loaded" if "torch" in sys.modules else "not loaded (only exporting needs it)",
        "problems": problems,
    }


def machine() -> str:
    """Python and the system it runs on."""
    return f"{platform.python_version()} on {platform.platform()}"


def package_versions() -> dict[str, str]:
    """The versions of blemish and of what it rests on, as far as they are installed."""
    return {name: found for name in _PACKAGES if (found := _version(name))}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _runtime_problems() -> list[str]:
    """Two builds of ONNX Runtime share one module: the one installed last wins, and removing one breaks both."""
    names = {str(found.metadata["Name"]).lower() for found in distributions()}
    both = sorted(name for name in names if name.startswith("onnxruntime") and "extension" not in name)
    if len(both) < 2:
        return []
    return [f"{' and '.join(both)} are both installed; uninstall all of them, then install the one you want."]


def _providers() -> tuple[list[str], list[str]]:
    """What ONNX Runtime offers, and what is wrong with it."""
    try:
        # A half-removed installation leaves an empty module, or one that cannot be loaded.
        from blemish.features.patches import available_providers

        return available_providers(), []
    except (ImportError, AttributeError) as error:
        return [], [
            f"ONNX Runtime cannot be loaded ({error}); uninstall all its builds, then install the one you want."
        ]


def _built_in_backbone() -> tuple[str, list[str]]:
    """The backbone that comes with the package, checked against the hash of its manifest."""
    name = Settings.model_fields["backbone"].default
    try:
        return f"{name}, sha256 {load_backbone(name).manifest.sha256}", []
    except BackboneError as error:
        return f"{name}, damaged", [f"{error} Install blemish again."]


def _folder_problems() -> list[str]:
    return [
        f"The folder {folder} cannot be written ({reason})."
        for folder in (Path(tempfile.gettempdir()), backbone_folder())
        if (reason := _not_writable(folder))
    ]


def _not_writable(folder: Path) -> str | None:
    """Why no file can be made in a folder, or in the nearest folder above it that exists."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
