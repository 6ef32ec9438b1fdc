"""What `import blemish` offers, and what it costs."""

import pkgutil
import subprocess
import sys
from importlib.metadata import version

import blemish
from blemish import errors

NAMES = [
    "Adapted",
    "Artefact",
    "BackboneError",
    "BlemishError",
    "Box",
    "DataError",
    "Detector",
    "Evaluation",
    "Examination",
    "ImageError",
    "ModelFileError",
    "Nearest",
    "OptionError",
    "ProviderError",
    "Region",
    "Reproduced",
    "Result",
    "Scan",
    "Settings",
    "TrainingError",
    "Tuned",
    "Verdict",
    "adapt",
    "calibrate",
    "connect",
    "doctor",
    "evaluate",
    "fit",
    "load",
    "report",
    "reproduce",
    "scan",
    "table",
    "tune",
]


def test_the_list_is_what_is_exported() -> None:
    assert sorted(blemish.__all__) == NAMES
    assert dir(blemish) == sorted(NAMES)


def test_every_name_is_there_and_documented() -> None:
    for name in NAMES:
        assert getattr(blemish, name).__doc__, name


def test_no_public_name_is_a_module_s_name() -> None:
    """Importing `blemish.fit` as a module would put it in the place of the call."""
    modules = {module.name for module in pkgutil.iter_modules(blemish.__path__)}
    assert not modules & set(NAMES)


def test_the_version_is_that_of_the_package() -> None:
    assert blemish.__version__ == version("blemish")


def test_an_unknown_name_is_refused() -> None:
    assert not hasattr(blemish, "train")


def test_every_error_is_a_blemish_error() -> None:
    for kind in [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]:
        assert issubclass(kind, blemish.BlemishError)
    assert issubclass(blemish.OptionError, ValueError)


def loaded_after(statement: str) -> set[str]:
    """The modules a fresh interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_nothing_heavy() -> None:
    heavy = {"numpy", "onnxruntime", "onnx", "cv2", "torch", "PIL", "pydantic"}
    assert not heavy & loaded_after("import blemish")


def test_fitting_and_the_command_line_load_no_torch() -> None:
    loaded = loaded_after("import blemish.cli, blemish.fitting, blemish.cli.whole_job, blemish.diagnosis")
    assert "onnxruntime" in loaded
    assert not {"torch", "timm", "torchvision", "sklearn"} & loaded
