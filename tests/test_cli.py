"""The commands, run through their entry point."""

import csv
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, save_defective, save_image, scratched_part, stained_part
from PIL import Image
from shell import RunCli

from blemish.cli import console
from blemish.cli.inspect import exit_code
from blemish.detector import Detector, load
from blemish.options.methods import OPTIONS_OF
from blemish.options.settings import Resources, Settings
from blemish.result import Verdict

START = [sys.executable, "-c", "from blemish.cli import main; main()"]
OPTIONS = Settings.model_fields | Resources.model_fields
FIT = ("--size", "64", "--coreset", "20", "--folds", "2")


def test_fit_writes_a_model_and_says_what_it_rests_on(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    model = tmp_path / "部品 1.blemish"
    outcome = run_cli("fit", folder / "fit", "-o", model, *FIT, "--seed", "0")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "8 good images" in outcome.stderr
    assert "about 11.1 % of good parts are NG. This is an estimate: each of 8 good parts was" in outcome.stderr
    settings = load(model).model.manifest.settings
    assert (settings.size, settings.coreset, settings.folds, settings.seed) == (64, 20, 2, 0)


def test_fit_prints_json(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    outcome = run_cli("fit", folder / "fit" / "[0-3].png", "-o", tmp_path / "a.blemish", "--json", *FIT)
    fitted = json.loads(outcome.stdout)
    assert (fitted["images"], fitted["path"]) == (4, str(tmp_path / "a.blemish"))


def test_fit_from_a_csv_keeps_groups_and_leaves_out_the_rest(tmp_path: Path, run_cli: RunCli) -> None:
    for seed in range(4):
        save_image(tmp_path / f"{seed}.png", good_part(seed))
    save_image(tmp_path / "bad.png", stained_part(1).grey)
    rows = ["0.png,good,train,a", "1.png,good,train,a", "2.png,good,train,b", "3.png,good,test,c", "bad.png,1,test,d"]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,split,group", *rows]), encoding="utf-8-sig")
    assert run_cli("fit", tmp_path / "parts.csv", "-o", tmp_path / "a.blemish", *FIT).code == 0
    info = load(tmp_path / "a.blemish").info()
    assert (info["images"], info["groups"]) == (3, 2)


def test_json_is_a_list_and_nothing_else(folder: Path, model: Path, run_cli: RunCli) -> None:
    outcome = run_cli("inspect", model, folder / "line", "--json")
    rows = json.loads(outcome.stdout)
    assert [Path(row["path"]).name for row in rows] == ["good1.png", "good2.png", "scratch.png", "stain.png"]
    assert [row["verdict"] for row in rows] == ["OK", "OK", "NG", "NG"]
    assert rows[2]["score"] > rows[2]["threshold"] > rows[0]["score"]
    assert outcome.code == 1


@pytest.mark.parametrize(
    ("images", "code"),
    [
        (["good1.png", "good2.png"], 0),
        (["good1.png", "stain.png"], 1),
        (["good1.png", "cut.png"], 2),
        (["stain.png", "cut.png"], 2),
    ],
)
def test_exit_codes(folder: Path, model: Path, tmp_path: Path, run_cli: RunCli, images: list[str], code: int) -> None:
    (tmp_path / "cut.png").write_bytes((folder / "line" / "stain.png").read_bytes()[:300])
    paths = [tmp_path / name if name == "cut.png" else folder / "line" / name for name in images]
    outcome = run_cli("inspect", model, *paths)
    assert outcome.code == code
    assert len(outcome.stdout.splitlines()) == 2


def test_precedence_of_exit_codes() -> None:
    ok, ng, review, error = Verdict.OK, Verdict.NG, Verdict.REVIEW, Verdict.ERROR
    assert exit_code([]) == exit_code([ok, ok]) == 0
    assert exit_code([ok, review]) == 3
    assert exit_code([review, ng, ok]) == 1
    assert exit_code([ng, error, review]) == 2


def test_all_outputs_at_once(folder: Path, model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    table, lines, overlays, masks = (tmp_path / name for name in ("a.csv", "a.jsonl", "overlays", "masks"))
    outputs = ("--csv", table, "--jsonl", lines, "--overlays", overlays, "--masks", masks)
    outcome = run_cli("inspect", model, folder / "line", *outputs, "--threads", "1")
    assert outcome.code == 1
    assert outcome.stderr.splitlines()[0] == "2 OK, 2 NG"
    assert outcome.stderr.splitlines()[1].startswith("How many defects pass is not known yet")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == ["OK", "OK", "NG", "NG"]
    assert [json.loads(line)["path"] for line in lines.read_text(encoding="utf-8").splitlines()] == [
        row["path"] for row in rows
    ]
    names = ["good1.png.png", "good2.png.png", "scratch.png.png", "stain.png.png"]
    for made in (overlays, masks):
        assert sorted(path.name for path in made.iterdir()) == names
    mask = np.asarray(Image.open(masks / "stain.png.png"))
    row = rows[3]
    x, y = int(row["x"]) + int(row["width"]) // 2, int(row["y"]) + int(row["height"]) // 2
    assert (mask.shape, mask[y, x], set(np.unique(mask))) == ((96, 144), 255, {0, 255})


def test_lines_for_people(folder: Path, model: Path, run_cli: RunCli) -> None:
    printed = run_cli("inspect", model, folder / "line" / "good1.png", folder / "line" / "stain.png").stdout
    good, stain = printed.splitlines()
    assert good.startswith("OK ")
    assert good.endswith("good1.png")
    assert stain.startswith("NG ")
    assert "stain.png  [" in stain


def test_quoted_patterns_are_expanded_here(folder: Path, model: Path, run_cli: RunCli) -> None:
    for pattern, count in (("line/g*.PNG", 2), ("**/s*.png", 2), ("line/good?.png", 2)):
        assert len(json.loads(run_cli("inspect", model, folder / pattern, "--json").stdout)) == count


def test_exif_that_cannot_be_read_is_neither_an_error_nor_a_line(
    tmp_path: Path, folder: Path, model: Path, run_cli: RunCli
) -> None:
    cut_short = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x0e\0\x05\0\0\0\x01\0\0\0\x5a"
    with Image.open(folder / "line" / "good1.png") as image:
        image.save(tmp_path / "good.jpg", exif=cut_short, quality=98)
    outcome = run_cli("inspect", model, tmp_path / "good.jpg")
    assert outcome.stdout.startswith("OK")
    assert "EXIF" not in outcome.stderr
    assert outcome.code == 0


def test_spaces_and_japanese_names(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    image = save_image(tmp_path / "検査 ライン 3" / "部品 1.png", good_part(100))
    outcome = run_cli(
        "inspect", model, image.parent, "--csv", tmp_path / "結果.csv", "--overlays", tmp_path / "重ね 図"
    )
    assert outcome.code == 0
    assert "部品 1.png" in outcome.stdout
    assert (tmp_path / "重ね 図" / "部品 1.png.png").is_file()


def as_process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*START, *map(str, arguments)], capture_output=True, env=os.environ | environment, timeout=120
    )


def test_a_console_that_cannot_print_a_character(model: Path, tmp_path: Path) -> None:
    """People get a substitute; programs get JSON escapes, which lose nothing."""
    image = save_image(tmp_path / "部品é😀.png", good_part(100))
    people = as_process("inspect", model, image, PYTHONIOENCODING="ascii")
    program = as_process("inspect", model, image, "--json", PYTHONIOENCODING="ascii")
    assert (people.returncode, program.returncode) == (0, 0), people.stderr
    assert b"???.png" in people.stdout
    assert json.loads(program.stdout)[0]["path"] == str(image)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_a_reader_that_goes_away_is_no_verdict(model: Path, folder: Path) -> None:
    """1 would mean NG."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [*START, "inspect", str(model), str(folder / "line")]
    for extra in ([], ["--json"]):
        done = subprocess.run([*command, *extra], stdout=writing, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert done.stderr == "blemish: Stopped: the program that read the output has ended.\n"
    os.close(writing)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_results_go_to_their_file_while_bars_are_drawn(model: Path, folder: Path, tmp_path: Path) -> None:
    """Rich would draw what is printed above its bars, on the terminal, instead of into the file."""
    import pty

    terminal, side = pty.openpty()
    with (tmp_path / "out.txt").open("wb") as out:
        done = subprocess.Popen([*START, "inspect", str(model), str(folder / "line")], stdout=out, stderr=side)
        os.close(side)
        while True:  # empty the terminal, or the command would wait for it
            try:
                if not os.read(terminal, 4096):
                    break
            except OSError:
                break
        assert done.wait() == 1
    os.close(terminal)
    assert [line.split()[0] for line in (tmp_path / "out.txt").read_text().splitlines()] == ["OK", "OK", "NG", "NG"]


@pytest.fixture(scope="module")
def mvtec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plate")
    save_image(root / "train" / "good" / "0.png", good_part(0))
    for seed in range(3):
        save_image(root / "test" / "good" / f"{seed}.png", good_part(700 + seed))
        for kind, draw in (("scratch", scratched_part), ("stain", stained_part)):
            save_defective(root, kind, str(seed), draw(800 + seed))
    return root


def evaluated(run_cli: RunCli, *arguments: str | Path) -> Any:
    outcome = run_cli("evaluate", *arguments, "--json")
    assert outcome.code == 0, outcome
    return json.loads(outcome.stdout)


def test_evaluate_an_mvtec_tree(mvtec: Path, model: Path, run_cli: RunCli) -> None:
    found = evaluated(run_cli, model, mvtec)
    assert (found["good"], found["defective"]) == (3, 6)
    assert found["auroc"]["value"] == 1
    assert found["pixels"]["auroc"] > 0.9
    assert 0 < found["pixels"]["aupro"] <= 1
    assert [defect["defect"] for defect in found["defects"]] == ["scratch", "stain"]
    assert found["threshold"] == load(model).threshold


def test_evaluate_a_pair_and_a_csv_agree_with_the_tree(
    mvtec: Path, model: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    tree = evaluated(run_cli, model, mvtec)
    defective = tmp_path / "ng"
    rows = ["path,label"]
    for path in sorted((mvtec / "test").rglob("*.png")):
        rows.append(f"{path},{path.parent.name}")
        if path.parent.name != "good":
            save_image(defective / path.parent.name / path.name, np.asarray(Image.open(path)))
    (tmp_path / "test.csv").write_text("\n".join(rows), encoding="utf-8")
    pair = evaluated(run_cli, model, "--good", mvtec / "test" / "good", "--defective", defective)
    table = evaluated(run_cli, model, tmp_path / "test.csv")
    assert pair["auroc"] == table["auroc"] == tree["auroc"]
    assert pair["pixels"] is table["pixels"] is None
    assert [defect["defect"] for defect in pair["defects"]] == ["scratch", "stain"]


def test_evaluate_says_what_it_leaves_out_of_a_data_set(
    mvtec: Path, model: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    mvtec = Path(shutil.copytree(mvtec, tmp_path / "plate"))
    (mvtec / "test" / "good" / "notes.txt").write_text("x")
    (mvtec / "test" / "scratch" / "deeper").mkdir()
    save_image(mvtec / "test" / "scratch" / "deeper" / "0.png", good_part(0))
    errors = run_cli("evaluate", model, mvtec).stderr
    assert "files that end in .txt (1)" in errors
    assert "images in none of the folders that are read (1)" in errors


def test_evaluate_for_people(mvtec: Path, model: Path, run_cli: RunCli) -> None:
    printed = run_cli("evaluate", model, mvtec).stdout
    for measure in ("image AUROC", "average precision", "F1-max (oracle)", "AUPRO at 0.3", "AUROC scratch"):
        assert measure in printed


@pytest.mark.parametrize("extra", [(), ("--good", "x"), ("data", "--good", "x", "--defective", "y")])
def test_evaluate_wants_one_source(model: Path, run_cli: RunCli, extra: tuple[str, ...]) -> None:
    assert run_cli("evaluate", model, *extra).sentence.startswith("Give either DATA, or both --good and --defective")


def test_info(detector: Detector, model: Path, run_cli: RunCli) -> None:
    assert json.loads(run_cli("info", model, "--json").stdout) == json.loads(json.dumps(load(model).info()))
    printed = run_cli("info", model).stdout
    assert f"threshold    {detector.threshold:.6g}" in printed
    assert "provider     cpu" in printed


def test_backbone_list_and_info(run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path))
    listed = json.loads(run_cli("backbone", "list", "--json").stdout)
    assert [manifest["name"] for manifest in listed] == ["efficientnet_lite0", "efficientnet_lite2"]
    assert run_cli("backbone", "list").stdout.startswith("efficientnet_lite0 ")
    told = json.loads(run_cli("backbone", "info", "efficientnet_lite0", "--json").stdout)
    assert told == listed[0]
    assert "stride 16" in run_cli("backbone", "info", "efficientnet_lite0").stdout
    assert "no backbone 'x'" in run_cli("backbone", "info", "x").sentence


def test_help_lists_every_setting_with_its_default(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    printed = squeezed(run_cli("fit", "--help").stdout)
    for name, field in OPTIONS.items():
        assert f"--{name.replace('_', '-')}" in printed
        assert squeezed(str(field.description)) in printed, name
    assert squeezed("Default 0.01") in printed
    for method, options in OPTIONS_OF.items():
        for preset, values in options.PRESETS.items():
            assert printed.count(f"{method},preset{preset}:") == len(values)


def squeezed(text: str) -> str:
    """Without white space: help is broken into lines, even at hyphens."""
    return "".join(text.split())


def test_every_command_has_help(run_cli: RunCli) -> None:
    for command in ("fit", "inspect", "evaluate", "info", "doctor", "demo", "backbone"):
        outcome = run_cli(command, "--help")
        assert outcome.code == 0
        assert "Usage" in outcome.stdout


@pytest.mark.parametrize("arguments", [("fly",), ("inspect",), ("inspect", "m", "i", "--colour")])
def test_wrong_usage_ends_with_2(run_cli: RunCli, arguments: tuple[str, ...]) -> None:
    outcome = run_cli(*arguments)
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert "Usage" in outcome.stderr


def test_an_interrupt_is_an_error_not_a_verdict(
    model: Path, folder: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: dict[type[BaseException], str] = {
        KeyboardInterrupt: "Stopped; what was already written is whole.",
        MemoryError: "There is not enough memory for this",
    }
    for failure, sentence in failures.items():
        monkeypatch.setattr(Detector, "inspect_many", raising(failure()))
        assert run_cli("inspect", model, folder / "line").sentence.startswith(sentence)


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_no_command_names_a_setting_by_hand() -> None:
    """Options have one home, from which the command line takes them."""
    from blemish.cli import fit

    taken = set(inspect.signature(fit.fit).parameters) - {
        "images",
        "output",
        "config",
        "save_config",
        "force",
        "json",
        "recursive",
        "cluster",
        "cluster_state",
        "each",
        "plan",
    }
    assert taken == set(OPTIONS)
    assert not any(f'"--{name}"' in inspect.getsource(fit) for name in OPTIONS)


def test_progress_of_a_short_job_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress_bar() as progress:
        progress("step", 1, 2)
    assert capsys.readouterr().err == ""
