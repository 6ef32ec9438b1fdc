"""What commands do can be done from Python: evaluate, report, scan, doctor, reproduce."""

from pathlib import Path

import pytest
from parts import TINY, good_part, save_image, scratched_part

import blemish
from blemish.data.samples import Sample
from blemish.detector import Detector


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good/ and defective/, four images each."""
    root = tmp_path_factory.mktemp("labelled")
    for seed in range(4):
        save_image(root / "good" / f"{seed}.png", good_part(200 + seed))
        save_image(root / "defective" / f"{seed}.png", scratched_part(300 + seed).grey)
    return root


def test_evaluate_takes_a_path_two_folders_or_samples(detector: Detector, labelled: Path) -> None:
    by_path = blemish.evaluate(detector, str(labelled))
    by_folders = blemish.evaluate(detector, good=labelled / "good", defective=str(labelled / "defective"))
    samples = [
        Sample(Path(each.path), each.label, each.defect, None, each.group, "test") for each in by_path.predictions
    ]
    assert by_path.predictions == by_folders.predictions == blemish.evaluate(detector, samples).predictions
    assert repr(by_path).startswith("Evaluation(4 good, 4 defective, AUROC ")
    with pytest.raises(blemish.OptionError, match="Give either DATA, or both"):
        blemish.evaluate(detector)


def test_report_writes_what_it_returns(detector: Detector, model: Path, labelled: Path, tmp_path: Path) -> None:
    unsaved = blemish.report(detector, labelled, tmp_path / "a.html")
    assert unsaved.predictions == blemish.evaluate(detector, labelled).predictions
    assert "Inspection report: patchcore" in (tmp_path / "a.html").read_text(encoding="utf-8")
    blemish.report(detector, labelled, str(tmp_path / "b.html"), model=model, language="ja")
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert model.name in page
    assert "検査性能レポート" in page
    with pytest.raises(blemish.DataError, match="does not exist; create it first"):
        blemish.report(detector, labelled, tmp_path / "absent" / "c.html")


def test_a_report_names_the_memory_bank_of_each_look(folder: Path, labelled: Path, tmp_path: Path) -> None:
    looking = blemish.fit(folder / "fit", looks="64:2+3,32:2+3:even", coreset=20, folds=2, progress=False)
    blemish.report(looking, labelled, tmp_path / "a.html", language="ja")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "64:2+3: 20行 x 152、半径" in page
    assert "32:2+3:even: 20行 x 152、半径" in page
    assert "<td>True</td>" not in page, "options are shown as one types them"
    assert "<td>64:2+3,32:2+3:even</td>" in page


def test_scan_answers_with_results_and_a_detector(folder: Path) -> None:
    found = blemish.scan(folder / "fit", **TINY)
    assert isinstance(found, blemish.Scan)
    assert len(found.suspects) == len(found.suspicion)
    count = len(found.suspects)
    assert repr(found) == f"Scan({count or 'no'} suspect{'' if count == 1 else 's'} beside {8 - count} good images)"
    assert found.detector.inspect(folder / "line" / "good1.png").error is None


def test_doctor_examines_data_or_the_installation(folder: Path) -> None:
    examined = blemish.doctor(folder / "fit")
    assert isinstance(examined, blemish.Examination)
    assert examined.images == 8
    assert repr(examined).startswith(f"Examination({folder / 'fit'}, 8 images, about 8 parts, ")
    assert len(repr(examined)) < 300
    assert blemish.doctor()["versions"]["blemish"] == blemish.__version__


def test_reproduce_takes_paths_as_strings(tmp_path: Path) -> None:
    with pytest.raises(blemish.OptionError, match='There is no reproduction "table9"'):
        blemish.reproduce("table9", str(tmp_path), str(tmp_path / "out"))
    with pytest.raises(blemish.DataError):
        blemish.reproduce("shots", str(tmp_path), str(tmp_path / "out"))
