"""One tiny detector, fitted once on drawn parts, and a way to run the command line as a user does."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from parts import TINY, good_part, save_image, scratched_part, stained_part
from shell import Outcome, RunCli

from blemish.arrays import Floats
from blemish.cli import main
from blemish.detector import Detector
from blemish.fitting import fit
from blemish.kernels.bound import Bound

settings.register_profile("no time is asserted", deadline=None)
settings.load_profile("no time is asserted")


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a step may take long enough for a line on stderr, where tests look for messages."""
    monkeypatch.setattr("blemish.system.progress.LINE_SECONDS", math.inf)


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are English wherever the tests run; tests of Japanese ask for it."""
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LC_MESSAGES", "C")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fit/: eight good parts; line/: two good ones, a scratched and a stained one. Nobody writes here."""
    root = tmp_path_factory.mktemp("parts")
    for seed in range(8):
        save_image(root / "fit" / f"{seed}.png", good_part(seed))
    save_image(root / "line" / "good1.png", good_part(100))
    save_image(root / "line" / "good2.png", good_part(101))
    save_image(root / "line" / "scratch.png", scratched_part(102).grey)
    save_image(root / "line" / "stain.png", stained_part(103).grey)
    return root


@pytest.fixture(scope="session")
def detector(folder: Path) -> Detector:
    """Fitted on fit/."""
    return fit(folder / "fit", threads=2, **TINY)


@pytest.fixture(scope="session")
def model(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector's file. Nobody writes to it."""
    path = tmp_path_factory.mktemp("model") / "part.blemish"
    detector.save(path)
    return path


@pytest.fixture
def bounds_made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """From now on, of how many patches each bound was made in these modules."""
    made: list[int] = []

    class Counted(Bound):
        def __init__(self, sample_ND: Floats, **options: Any) -> None:
            made.append(len(sample_ND))
            super().__init__(sample_ND, **options)

    def counted(*modules: str) -> list[int]:
        for module in modules:
            monkeypatch.setattr(f"blemish.{module}.Bound", Counted)
        return made

    return counted


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCli:
    """Run `blemish ...` through its entry point, in this process."""

    def run(*arguments: str | os.PathLike[str]) -> Outcome:
        monkeypatch.setattr("sys.argv", ["blemish", *(os.fspath(argument) for argument in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0 if code is None else 1, printed.out, printed.err)

    return run
