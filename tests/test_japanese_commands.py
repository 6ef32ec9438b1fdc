"""The commands speak Japanese: --lang ja or the locale, and English where the console cannot print it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shell import RunCli

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
START = [sys.executable, "-c", "from blemish.cli import main; main()"]
FIT = ("--size", "64", "--coreset", "20", "--folds", "2")


def test_fit_and_inspect_speak_japanese(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    model = tmp_path / "部品.blemish"
    fitted = run_cli("fit", folder / "fit", "-o", model, *FIT, "--lang", "ja")
    assert fitted.code == 0
    assert "良品の画像8枚" in fitted.stderr
    assert "NGになると推定されます" in fitted.stderr
    asked = run_cli("calibrate", model, "--lang=ja")
    assert "しきい値の条件" in asked.stdout
    assert "何も変更していません。" in asked.stderr
    inspected = run_cli("inspect", model, folder / "line", "--lang", "ja")
    assert inspected.stdout.split()[0] in {"OK", "NG"}


def test_all_that_is_said_on_the_way_is_japanese(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    """Every line of what commands say, and every cell of their tables that holds a word."""
    model, good, ng = tmp_path / "部品.blemish", folder / "fit", folder / "line"
    commands: list[tuple[object, ...]] = [
        ("fit", good, "-o", model, *FIT),
        ("fit", good, "-o", tmp_path / "b.blemish", "--looks", "64:2+3,32:2+3:even", "--coreset", "20", "--folds", "2"),
        ("fit", good, "-o", tmp_path / "c.blemish", "--method", "padim", "--size", "64"),
        ("fit", good, "-o", tmp_path / "d.blemish", "--method", "1-nn", "--size", "64"),
        ("fit", good, "-o", tmp_path / "e.blemish", "--method", "spade", "--size", "64"),
        ("scan", good, "--size", "64", "--coreset", "20"),
        ("feedback", "add", model, ng / "good1.png", "--yes"),
        ("feedback", "log", model),
        ("feedback", "undo", model),
        ("feedback", "remove", model, good / "0.png"),
        ("calibrate", model, "--defective", ng),
        ("calibrate", model, "--review", "0.2"),
        ("evaluate", model, "--good", good, "--defective", ng),
        ("inspect", model, ng),
    ]
    english = []
    for words in commands:
        outcome = run_cli(*words, "--lang", "ja")
        assert "Traceback" not in outcome.stderr
        said = [line for line in outcome.stderr.splitlines() if not re.fullmatch(r"[\d A-Z,]*", line)]
        tables = outcome.stdout.splitlines() if words[0] in ("calibrate", "evaluate") else []
        cells = [cell for line in tables for cell in re.split(r"[│┃━┏┓┡┩└┘─┴╇┳]|\s{2,}|AUROC", line)]
        english += [line for line in said if not JAPANESE.search(line)]
        english += [cell for cell in cells if re.match(r"\s*[a-z]{2}", cell)]
    assert english == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "none.blemish", "missing.png"], "missing.png がありません。"),
        (["inspect", "none.blemish", "empty"], "empty に画像がありません(空です)。"),
        (
            ["inspect", "none.blemish", "good.png"],
            "none.blemish がありません。モデルファイルは blemish fit で作成します。",
        ),
        (["inspect", "good.png", "good.png"], "good.png は blemish のモデルではないか、破損しています"),
        (["fit", "good.png", "-o", "a.blemish", "--size", "banana"], "オプション size='banana' は使えません。"),
        (["fit", "good.png", "-o", "a.blemish", "--threads", "x"], "1以上の整数、または none"),
        (["inspect", "none.blemish", "good.png", "--threads", "0"], "オプション --threads='0' は使えません。"),
        (["fit", "good.png"], "オプション '--output' / '-o' を指定してください。"),
        (["fit", "good.png", "--coresett", "1"], "--coresett というオプションはありません。"),
        (["fitt"], "というコマンドはありません。"),
        (["info", "good.png", "--quiet", "--verbose"], "--quiet と --verbose は同時には使えません。"),
    ],
)
def test_errors_are_japanese_sentences(
    arguments: list[str], sentence: str, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.png").write_bytes((folder / "fit" / "0.png").read_bytes())
    (tmp_path / "empty").mkdir()
    outcome = run_cli(*arguments, "--lang", "ja")
    assert outcome.code == 2
    assert sentence in outcome.stderr
    assert outcome.stderr.startswith("blemish: ")
    assert "Traceback" not in outcome.stderr


def test_a_damaged_image_is_told_in_japanese(model: Path, tmp_path: Path, run_cli: RunCli, folder: Path) -> None:
    (tmp_path / "cut.png").write_bytes((folder / "fit" / "0.png").read_bytes()[:-30])
    outcome = run_cli("inspect", model, tmp_path / "cut.png", "--lang", "ja")
    assert outcome.code == 2
    assert outcome.stdout.startswith("ERROR")
    assert "をデコードできません" in outcome.stdout


@pytest.mark.parametrize(
    ("variables", "japanese"),
    [
        ({"LANG": "ja_JP.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, True),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({}, False),
    ],
)
def test_the_locale_chooses(
    variables: dict[str, str], japanese: bool, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("使い方:" in run_cli("fit", "--help").stdout) is japanese
    assert "Usage:" in run_cli("fit", "--help", "--lang", "en").stdout


def test_another_language_is_refused(run_cli: RunCli) -> None:
    outcome = run_cli("info", "a.blemish", "--lang", "fr")
    assert (outcome.code, outcome.stderr) == (2, "blemish: Option lang='fr' cannot be used: give en or ja.\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
def test_a_console_without_japanese_gets_english_and_one_sentence(encoding: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LANG": "ja_JP.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}
    missing = [*START, "info", str(tmp_path / "部品.blemish"), "--lang", "ja"]
    outcome = subprocess.run(missing, env=environment, capture_output=True, check=False)
    said = outcome.stderr.decode(encoding)
    assert outcome.returncode == 2
    assert said.startswith(f"This console ({encoding}) cannot print Japanese: messages are in English.")
    assert "does not exist" in said
    assert "Traceback" not in said
    helped = subprocess.run([*START, "fit", "--help"], env=environment, capture_output=True, check=False)
    assert helped.returncode == 0
    assert b"Usage:" in helped.stdout


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-8"])
def test_a_japanese_console_gets_japanese_in_its_encoding(encoding: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    missing = [*START, "info", str(tmp_path / "部品.blemish"), "--lang", "ja"]
    outcome = subprocess.run(missing, env=environment, capture_output=True, check=False)
    assert outcome.returncode == 2
    assert "部品.blemish がありません。" in outcome.stderr.decode(encoding)
