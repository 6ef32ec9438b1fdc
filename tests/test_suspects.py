"""Good images that look like defects are named by fit, and leave when they are asked to."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import TINY, bank_of, good_part, save_image, save_parts_with_blotches, scratched_part, stained_part
from shell import RunCli

from blemish.calibrating import calibrate
from blemish.calibration.suspects import CUTOFF, suspicion
from blemish.detector import Detector, load
from blemish.errors import OptionError
from blemish.fitting import fit
from blemish.model.suspects import calibration_without, tell_left_out, tell_suspects
from blemish.result import Verdict

OPTIONS = ["--size", "96", "--coreset", "60"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen good parts, a scratched and a stained one."""
    folder = tmp_path_factory.mktemp("good")
    for seed in range(14):
        save_image(folder / f"{seed}.png", good_part(seed))
    save_image(folder / "scratch.png", scratched_part(30).grey)
    save_image(folder / "stain.png", stained_part(31).grey)
    return folder


@pytest.fixture(scope="module")
def kept(mixed: Path) -> Detector:
    return fit(mixed, **TINY)


def names(detector: Detector) -> set[str]:
    return {Path(image.path).name for image in detector.suspects}


def test_fit_names_them_and_what_they_do_to_the_threshold(kept: Detector) -> None:
    """One odd part sets the threshold, and every defect below it passes: that must be told."""
    assert names(kept) == {"scratch.png", "stain.png"}
    assert kept.inspect(scratched_part(200).grey).verdict is Verdict.OK
    then = calibration_without(kept.model)
    told = tell_suspects(kept.model)
    assert told.startswith("2 of 16 good images look like defects: ")
    assert told.endswith(f". The threshold is {kept.threshold:.4g}; without them it would be {then.threshold:.4g}.")
    assert then.threshold < kept.threshold
    assert not load_of_good_parts().suspects
    assert tell_suspects(load_of_good_parts().model) == ""


def load_of_good_parts() -> Detector:
    return fit([good_part(seed) for seed in range(14)], **TINY)


def test_a_defect_whose_likes_are_in_the_memory_is_named_by_the_rows_it_gave(tmp_path: Path) -> None:
    """Four parts are rough in one place: each is known from the others, so that none of them scores high."""
    folder = save_parts_with_blotches(tmp_path)
    found = fit(folder, coreset=250, size=96)
    held_out, images = found.model.held_out, found.model.manifest.images
    place = [Path(image.path).name for image in images].index("rough100.png")
    assert suspicion(held_out.scores_M)[place] < CUTOFF - 1
    assert "rough100.png" in names(found)
    assert held_out.rows_M is not None
    assert held_out.rows_M.sum() == 250
    assert held_out.rows_M.argmax() == place
    assert len(found.suspects) <= 2
    single = fit(folder, coreset=250, size=96, threads=1)
    assert single.model.held_out.suspicion_M.tolist() == held_out.suspicion_M.tolist()
    assert single.suspects == found.suspects


def test_images_kept_from_the_memory_are_judged_by_their_scores_alone(mixed: Path) -> None:
    split = fit(mixed, calibration="split", held_out=8, **TINY)
    flags = [image.in_memory for image in split.model.manifest.images]
    assert split.model.held_out.rows_M is not None
    assert np.isnan(split.model.held_out.rows_M).all()
    assert split.model.held_out.suspicion_M.tolist() == suspicion(split.model.held_out.scores_M).tolist()
    assert sum(flags) == 8


def test_dropping_takes_them_out_of_memory_and_threshold(mixed: Path, kept: Detector) -> None:
    dropped = fit(mixed, suspects="drop", **TINY)
    calibration = dropped.model.manifest.calibration
    assert len(dropped.model.manifest.images) == 14
    assert not dropped.suspects
    assert bank_of(dropped).image_K.max() < 14
    assert calibration.threshold == calibration_without(kept.model).threshold
    assert (calibration.groups, calibration.left_out) == (14, 2)
    assert dropped.inspect(scratched_part(200).grey).verdict is Verdict.NG
    again = kept.without_suspects(who="QA")
    assert again.model.manifest.calibration == calibration
    assert again.journal[-1].who == "QA"
    undone = again.undo()
    assert names(undone) == names(kept)
    assert undone.model.manifest.calibration == kept.model.manifest.calibration


def test_moving_the_threshold_keeps_count_of_what_was_left_out(kept: Detector) -> None:
    left = kept.without_suspects()
    moved = calibrate(left, false_rejects=0.05)
    assert moved.manifest.calibration.left_out == left.manifest.calibration.left_out == 2
    assert "This holds if the 2 parts left out are defective" in str(moved.manifest.calibration)
    anew = calibrate(left, [good_part(seed) for seed in range(700, 708)])
    assert anew.manifest.calibration.left_out == 0


def test_the_model_file_and_info_keep_who_was_dropped(mixed: Path, tmp_path: Path) -> None:
    fit(mixed, suspects="drop", **TINY).save(tmp_path / "part.blemish")
    found = load(tmp_path / "part.blemish").info()
    assert {Path(path).name for path in found["suspects"]["left_out"]} == {"scratch.png", "stain.png"}
    assert found["suspects"]["known"] == []
    assert found["calibration"]["left_out"] == 2


def test_images_kept_from_the_memory_and_those_in_it_are_both_looked_at(mixed: Path) -> None:
    """A split scores only some images for its thresholds; a defect in the memory would hide."""
    wanted: dict[str, Any] = {"calibration": "split", "held_out": 8, **TINY}
    split = fit(mixed, **wanted)
    flags = {Path(image.path).name: image.in_memory for image in split.model.manifest.images}
    assert set(flags.values()) == {True, False}
    assert len(split.model.held_out.image_M) == 8
    assert names(split) >= {"scratch.png", "stain.png"}
    left = split.without_suspects().model.manifest.calibration
    out = [image for image in split.suspects if not image.in_memory]
    assert left.left_out == len(out)
    assert left.promise is not None
    assert left.promise_if_good is not None
    assert (left.promise_if_good > left.promise) == bool(out)
    assert ("This holds if the part" in str(left)) == bool(out)


def test_a_bank_for_each_tile_cannot_drop(mixed: Path) -> None:
    with pytest.raises(OptionError, match="suspects=drop needs tile_banks=one"):
        fit(mixed, suspects="drop", tile_banks="each", tiles=64)


def test_the_command_names_them_keeps_them_and_says_what_to_do(mixed: Path, tmp_path: Path, run_cli: RunCli) -> None:
    outcome = run_cli("fit", mixed, "-o", tmp_path / "part.blemish", *OPTIONS)
    assert outcome.code == 0
    assert "2 of 16 good images look like defects" in outcome.stderr
    assert "They stay. Look at them: --suspects drop leaves all out" in outcome.stderr
    assert "How many defects pass is not known yet" in outcome.stderr
    assert f"blemish calibrate {tmp_path / 'part.blemish'} --defective ng/" in outcome.stderr
    assert names(load(tmp_path / "part.blemish")) == {"scratch.png", "stain.png"}
    inspected = run_cli("inspect", tmp_path / "part.blemish", mixed / "0.png")
    assert "How many defects pass is not known yet" in inspected.stderr


def test_the_command_drops_them(mixed: Path, tmp_path: Path, run_cli: RunCli) -> None:
    outcome = run_cli("fit", mixed, "-o", tmp_path / "part.blemish", "--suspects", "drop", *OPTIONS)
    assert outcome.code == 0
    assert "Left out, as they look like defects: " in outcome.stderr
    assert f"They come back by: blemish feedback undo {tmp_path / 'part.blemish'}\n" in outcome.stderr
    assert "14 good images" in outcome.stderr
    shown = json.loads(run_cli("info", tmp_path / "part.blemish", "--json").stdout)
    assert len(shown["suspects"]["left_out"]) == 2


def test_of_many_products_those_left_out_are_named(mixed: Path, tmp_path: Path, run_cli: RunCli) -> None:
    """They left without a word."""
    (tmp_path / "models").mkdir()
    outcome = run_cli("fit", "--each", mixed, "-o", tmp_path / "models", "--suspects", "drop", *OPTIONS)
    assert outcome.code == 0
    assert "Left out, as they look like defects: " in outcome.stderr
    model = tmp_path / "models" / f"{mixed.name}.blemish"
    assert f"They come back by: blemish feedback undo {model}\n" in outcome.stderr


def test_many_left_out_are_named_in_short(kept: Detector) -> None:
    image = kept.suspects[0]
    many = [image.model_copy(update={"path": f"{number}.png", "suspect": float(number)}) for number in range(8)]
    assert tell_left_out([], "a.blemish") == ""
    change = kept.without_suspects().journal[-1].model_copy(update={"images": many})
    told = tell_left_out([change], "a.blemish")
    assert "defects: 7.png (7), 6.png (6), 5.png (5), 4.png (4), 3.png (3) and 3 more. " in told


def test_defective_images_that_the_memory_holds_are_told(
    kept: Detector, mixed: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    """They count as missed: a table of 100 % missed came without a word."""
    kept.save(tmp_path / "part.blemish")
    save_image(tmp_path / "ng" / "new.png", scratched_part(200).grey)
    words = ("calibrate", tmp_path / "part.blemish", "--defective", tmp_path / "ng")
    assert "in the memory" not in run_cli(*words).stderr
    save_image(tmp_path / "ng" / "again.png", scratched_part(30).grey)
    assert "Of the defective images, 1 are in the memory, such as " in run_cli(*words).stderr


@pytest.mark.parametrize(("answer", "left"), [("y", 14), ("n", 16)])
def test_on_a_terminal_the_command_asks(
    answer: str, left: int, mixed: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.cli.next_step.on_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *words, **options: answer == "y")
    assert run_cli("fit", mixed, "-o", tmp_path / "part.blemish", *OPTIONS).code == 0
    assert load(tmp_path / "part.blemish").info()["images"] == left


def test_scores_are_kept_with_the_suspects(kept: Detector) -> None:
    scores = [image.suspect for image in kept.suspects]
    assert all(score is not None and math.isfinite(score) for score in scores)
    assert scores == sorted(kept.model.held_out.scores_M, reverse=True)[:2]
