"""The memory budget: peak memory stays within it, and what is fitted does not change."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import TINY, bank_of
from shell import RunCli

from blemish.detector import Detector, load
from blemish.errors import OptionError
from blemish.fitting import fit

SMALL = "600KB"
"""Holds the patches of one tiny part (131 KB) but not of eight."""


@pytest.fixture
def spilling(tmp_path: Path) -> dict[str, Any]:
    return {"memory": SMALL, "spill_folder": tmp_path, **TINY}


@pytest.mark.parametrize("options", [{}, {"projection": 16}], ids=["exact", "projected"])
def test_a_budget_changes_no_bit_and_leaves_no_file(
    folder: Path, tmp_path: Path, spilling: dict[str, Any], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = spy_on_files(monkeypatch)
    kept, spilled = fit(folder / "fit", **TINY, **options), fit(folder / "fit", **spilling, **options)
    assert set(made) == {tmp_path}, "the budget was meant to be too small for all patches"
    np.testing.assert_array_equal(bank_of(spilled).rows_KD, bank_of(kept).rows_KD)
    np.testing.assert_array_equal(bank_of(spilled).radii_K, bank_of(kept).radii_K)
    np.testing.assert_array_equal(spilled.model.held_out.scores_M, kept.model.held_out.scores_M)
    assert spilled.model.manifest.calibration == kept.model.manifest.calibration
    assert list(tmp_path.iterdir()) == []


def spy_on_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders in which temporary files are made from now on."""
    make, made = tempfile.TemporaryFile, []

    def spy(*arguments: Any, dir: Path, **options: Any) -> Any:
        made.append(dir)
        return make(*arguments, dir=dir, **options)

    monkeypatch.setattr("blemish.memory.spill.tempfile.TemporaryFile", spy)
    return made


def test_a_spilled_bank_is_saved_whole(
    folder: Path, tmp_path: Path, spilling: dict[str, Any], detector: Detector
) -> None:
    path = tmp_path / "part.blemish"
    fit(folder / "fit", **spilling).save(path)
    np.testing.assert_array_equal(bank_of(load(path)).rows_KD, bank_of(detector).rows_KD)


def test_a_folder_that_cannot_be_written_to_is_one_sentence(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(OptionError, match=r"spill folder .*absent cannot be written to \(.+\); name another one"):
        fit(folder / "fit", memory=SMALL, spill_folder=absent, **TINY)
    arguments = ["--memory", SMALL, "--spill-folder", absent, "--size", 96, "--coreset", 60]
    sentence = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", *map(str, arguments)).sentence
    assert "absent cannot be written to" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_budget_below_one_image_names_what_it_needs(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"memory=100000 \(bytes\) is too small .* one image; give at least (.*)MB"
    ) as told:
        fit(folder / "fit", memory="100KB", spill_folder=tmp_path, **TINY)
    assert list(tmp_path.iterdir()) == []
    fit(folder / "fit", memory=str(told.value).rpartition(" ")[2], spill_folder=tmp_path, **TINY)


SPILLING = """
import json, re, sys
from pathlib import Path
import numpy as np
from blemish.memory.coreset import greedy_coreset
from blemish.memory.shards import ArrayShard
from blemish.memory.spill import PatchStore
images, folder = int(sys.argv[1]), Path(sys.argv[2])
random = np.random.default_rng(0)
basis = random.normal(size=(8, 128)).astype(np.float32)
with PatchStore(images * 1000, 128, memory=100_000_000, folder=folder) as store:
    for _ in range(images):
        flat = random.normal(size=(1000, 8)).astype(np.float32) @ basis
        store.append(flat + random.normal(0, 0.1, flat.shape).astype(np.float32))
    coreset = greedy_coreset(ArrayShard(store.patches(), threads=2), 300)
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"spilled": store.spilled, "chosen": len(set(coreset.indices.tolist())), "peak": peak}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory as Linux tells it")
def test_peak_memory_stays_within_the_budget(tmp_path: Path) -> None:
    """400 MB of patches with a budget of 100 MB, above what the same script takes for 1 MB of them."""
    fixed = peak_bytes(2, tmp_path, spilled=False)
    slack = 10 * 10**6  # freed blocks that the allocator keeps
    assert peak_bytes(800, tmp_path, spilled=True) <= fixed + 100 * 10**6 + slack
    assert list(tmp_path.iterdir()) == []


def peak_bytes(images: int, folder: Path, *, spilled: bool) -> int:
    """The most memory that a process of its own held while it chose a coreset.

    It tells so itself: getrusage and wait4 would count this process's memory too, from which it was forked.
    """
    command = [sys.executable, "-c", SPILLING, str(images), str(folder)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (answer["spilled"], answer["chosen"]) == (spilled, 300)
    return int(answer["peak"])
