"""Signed models: who vouches for them, and what ends that."""

import os
import sys
from pathlib import Path

import pytest
from parts import good_part
from shell import RunCli

import blemish
from blemish.detector import Detector, load
from blemish.errors import ModelFileError, OptionError
from blemish.model.container import pack, unpack
from blemish.model.file import DIGEST, seal
from blemish.model.signature import SIGNATURE, Signature, new_key

pytest.importorskip("cryptography", reason="needs the [sign] extra")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "line.key")
    return tmp_path / "line.key"


@pytest.fixture
def trusted(key: Path) -> Path:
    return key.with_name("line.key.pub")


@pytest.fixture
def signed(detector: Detector, key: Path, tmp_path: Path, run_cli: RunCli) -> Path:
    path = tmp_path / "part.blemish"
    detector.save(path)
    done = run_cli("sign", path, "--key", key, "--by", "第3ライン")
    assert done.code == 0, done.stderr
    return path


def test_a_signed_model_says_by_whom(signed: Path, detector: Detector, trusted: Path) -> None:
    found = load(signed, trusted=trusted)
    told = found.info()["signed"]
    assert (told["by"], told["checked"]) == ("第3ライン", True)
    assert found.model.version == detector.model.version
    assert load(signed, trusted=[trusted, str(trusted)]).inspect(good_part(1)) == detector.inspect(good_part(1))
    assert detector.info()["signed"] is None


def test_a_private_key_is_its_owner_s_alone(key: Path) -> None:
    if sys.platform != "win32":
        assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OptionError, match="cannot be written"):
        new_key(key)


def test_only_trusted_keys_are_trusted(signed: Path, detector: Detector, model: Path, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other.key")
    with pytest.raises(ModelFileError, match=r"signed by 第3ライン with the key .* none of those trusted"):
        load(signed, trusted=other)
    with pytest.raises(ModelFileError, match="is not signed, and only signed models are trusted here"):
        load(model, trusted=other)
    with pytest.raises(OptionError, match=r"no public Ed25519 key; name the \.pub file"):
        load(signed, trusted=tmp_path / "other.key")
    with pytest.raises(OptionError, match="cannot be read"):
        load(signed, trusted=tmp_path / "absent.pub")


def test_commands_refuse_what_nobody_trusted_has_signed(
    signed: Path, trusted: Path, model: Path, folder: Path, run_cli: RunCli
) -> None:
    image = folder / "line" / "good1.png"
    for command in (("info",), ("calibrate",), ("feedback", "log"), ("feedback", "undo"), ("inspect",)):
        images = [image] if command == ("inspect",) else []
        refused = run_cli(*command, model, *images, "--trusted", trusted)
        assert (refused.code, "not signed" in refused.stderr) == (2, True), command
    assert run_cli("inspect", signed, image, "--trusted", trusted).code == 0
    assert "第3ライン" in run_cli("info", signed, "--trusted", trusted).stdout


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_measuring_refuses_what_nobody_trusted_has_signed(
    command: str, trusted: Path, model: Path, folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    page = ["-o", tmp_path / "page.html"] if command == "report" else []
    images = ["--good", folder / "fit", "--defective", folder / "line"]
    assert "is not signed" in run_cli(command, model, *images, *page, "--trusted", trusted).sentence
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("name", ["calibrate", "evaluate", "export", "info", "inspect", "report"])
def test_every_command_that_loads_a_model_takes_trusted_keys(name: str, run_cli: RunCli) -> None:
    assert "--trusted" in run_cli(name, "--help").stdout


def test_a_change_ends_the_signature_and_says_so(signed: Path, folder: Path, trusted: Path, run_cli: RunCli) -> None:
    done = run_cli("feedback", "add", signed, folder / "line" / "good2.png", "--trusted", trusted)
    assert "the signature of 第3ライン has ended, since the model changed" in done.stderr + done.stdout
    assert load(signed).info()["signed"] is None
    undone = run_cli("feedback", "undo", signed)
    assert undone.code == 0, undone.stderr


def test_saving_unchanged_keeps_the_signature(signed: Path, trusted: Path, tmp_path: Path) -> None:
    load(signed).save(tmp_path / "again.blemish")
    assert (tmp_path / "again.blemish").read_bytes() == signed.read_bytes()


@pytest.mark.parametrize("field", ["by", "signature", "digest"])
def test_a_signature_that_was_tampered_with_is_refused(signed: Path, field: str) -> None:
    box = unpack(signed.read_bytes())
    signature = Signature.model_validate_json(box.metadata[SIGNATURE])
    value = "Somebody else" if field == "by" else getattr(signature, field)[::-1]
    metadata = {**box.metadata, SIGNATURE: signature.model_copy(update={field: value}).model_dump_json()}
    signed.write_bytes(pack(box.tensors, metadata | {DIGEST: seal(metadata)}))
    with pytest.raises(ModelFileError, match="is not of this model"):
        load(signed)


def test_without_cryptography_the_line_that_installs_it_is_told(
    signed: Path, key: Path, trusted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(OptionError, match=r"pip install 'blemish\[sign\]'"):
        load(signed, trusted=trusted)
    with pytest.raises(OptionError, match=r"pip install 'blemish\[sign\]'"):
        new_key(key.with_name("another.key"))
    assert load(signed).info()["signed"]["checked"] is False


def test_sign_says_what_is_missing(model: Path, run_cli: RunCli, tmp_path: Path) -> None:
    assert "name yours with --key" in run_cli("sign", model).stderr
    assert "name a MODEL with --key" in run_cli("sign").stderr
    text = tmp_path / "no.key"
    text.write_text("no key")
    assert "no private Ed25519 key" in run_cli("sign", model, "--key", text).stderr
    made = run_cli("sign", "--new-key", tmp_path / "a.key")
    assert (made.code, os.path.exists(tmp_path / "a.key.pub")) == (0, True)
    assert blemish.load(model).info()["signed"] is None
