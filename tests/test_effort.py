"""Efforts at the command line: what `fit` says of its looks, and the two networks of thorough from fit to file."""

from pathlib import Path

import pytest
from shell import RunCli

from blemish.detector import load

LITTLE = ("--coreset", "20", "--folds", "2")


@pytest.mark.parametrize(
    ("effort", "says", "step"),
    [
        ("quick", "An image takes about ", "One step up, --effort standard, takes about "),
        ("standard", "Looks: 224:2+3, 112:2+3:even, 112:3+4:even.\nAn image takes ", "--effort thorough, takes about "),
    ],
)
def test_fit_says_what_it_chose_and_what_one_step_up_brings(
    folder: Path, tmp_path: Path, run_cli: RunCli, effort: str, says: str, step: str
) -> None:
    told = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", "--effort", effort, *LITTLE).stderr
    assert says in told
    assert step in told
    assert "blemish tune" in told


def test_looks_by_hand_have_no_step_up(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    told = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", "--looks", "128:2+3,64:2+3", *LITTLE).stderr
    assert "Looks: 128:2+3, 64:2+3.\nAn image takes about " in told
    assert "One step up" not in told
    padim = run_cli("fit", folder / "fit", "-o", tmp_path / "b.blemish", "--method", "padim", "--size", "64").stderr
    assert "An image takes" not in padim


def test_thorough_looks_with_two_networks_and_its_file_holds_both(
    folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    model = tmp_path / "a.blemish"
    told = run_cli("fit", folder / "fit", "-o", model, "--effort", "thorough", *LITTLE).stderr
    assert "Looks: efficientnet_lite2@224:2+3, 224:3+4:even, " in told
    assert "One step up" not in told, "there is none"
    detector = load(model)
    assert [each.name for each in detector.manifest.more_backbones] == ["efficientnet_lite2"]
    results = {path.stem: detector.inspect(path) for path in sorted((folder / "line").iterdir())}
    good = max(result.score for name, result in results.items() if name.startswith("good"))
    assert results["scratch"].score > good
    assert results["stain"].score > good
    checked = run_cli("export", model, "-o", tmp_path / "a.onnx", "--check", folder / "line")
    assert (checked.code, ", 0 verdicts" in checked.stdout + checked.stderr) == (0, True)
