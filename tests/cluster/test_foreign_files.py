"""Places that hold more than a run's own files, or other images under the same names, and machines that differ."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crews import LocalCrew, assert_equal, cluster_of, never
from parts import good_part, save_image

import blemish
from blemish.cluster.checkpoint import Checkpoint
from blemish.cluster.inspecting import inspect_to_parts
from blemish.cluster.products import Product, fit_products
from blemish.cluster.worker import Call, Worker
from blemish.errors import DataError, OptionError
from blemish.memory.coreset import Round
from blemish.result import Verdict
from blemish.system.storage import Storage

OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1, "threads": 1, "progress": False}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    for seed in range(10):
        save_image(folder / f"{seed:03}.png", good_part(seed, 40, 48))
    return folder


def fitted(good: Path, spill: Path, checkpoint: Path | None = None, dies: Any = never) -> blemish.Detector:
    cluster = cluster_of(LocalCrew(2, dies), None if checkpoint is None else str(checkpoint))
    return blemish.fit(good, spill_folder=spill, cluster=cluster, **OPTIONS)


def in_round(number: int, call: Call) -> bool:
    """The command ends in the first round of the coreset."""
    if call.method == "take":
        raise KeyboardInterrupt
    return False


@pytest.mark.ray
def test_a_checkpoint_deletes_none_but_its_own_files(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    kept = Checkpoint(Storage(str(tmp_path / "state")), "key")
    kept.keep_round("patches", 0, Round(np.array([3]), np.zeros((1, 2), np.float32), []))
    (tmp_path / "state" / "part.blemish").write_bytes(b"a model, beside what it was made from")
    kept.clear()
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["part.blemish"]


@pytest.mark.ray
def test_a_checkpoint_of_images_taken_anew_is_refused_though_they_have_the_same_names(
    good: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    with pytest.raises(KeyboardInterrupt):
        fitted(good, tmp_path / "spill", tmp_path / "state", in_round)
    save_image(good / "004.png", good_part(77, 40, 48))
    with pytest.raises(OptionError, match="is of other images, other settings or other versions"):
        fitted(good, tmp_path / "spill", tmp_path / "state")


def test_folders_of_one_name_keep_their_patches_apart(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    honest = Worker.take_share

    def watched(worker: Worker, plan: Any) -> None:
        files.extend(plan.files.paths().values())
        honest(worker, plan)

    monkeypatch.setattr(Worker, "take_share", watched)
    other = tmp_path / "other" / "good"
    other.mkdir(parents=True)
    for path in good.iterdir():
        save_image(other / path.name, good_part(100 + int(path.stem), 40, 48))
    for folder in (good, other):
        monkeypatch.chdir(folder.parent)
        fitted(Path("good"), tmp_path / "spill")
    assert len(set(files)) == len(files) == 4


@pytest.mark.ray
def test_rounds_that_two_commands_wrote_are_one_chain(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    kept = Checkpoint(Storage(str(tmp_path)), "key")
    rows = [
        Round(np.arange(first, last), np.zeros((last - first, 2), np.float32), [])
        for first, last in ((0, 1), (1, 5), (1, 4), (5, 9), (4, 6))
    ]
    for done in rows:  # of two shards: 0-1-5-9; of three: 0-1-4-6
        kept.keep_round("patches", int(done.numbers_R[0]), done)
    found = np.concatenate([done.numbers_R for done in kept.rounds("patches")])
    np.testing.assert_array_equal(found, np.arange(6))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key', b"\xff"])
@pytest.mark.ray
def test_a_damaged_checkpoint_is_said(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    storage = Storage(str(tmp_path))
    kept = Checkpoint(storage, "key")
    storage.put("chunk-00000000.json", content)
    storage.put("patches-round-000000000.npz", content)
    with pytest.raises(DataError, match=r"chunk-00000000\.json of the checkpoint .* is damaged"):
        kept.record(0)
    with pytest.raises(DataError, match=r"patches-round-000000000\.npz of the checkpoint .* is damaged"):
        kept.rounds("patches")
    storage.put("fit.json", content)
    with pytest.raises(DataError, match=r"fit\.json of the checkpoint .* is damaged"):
        Checkpoint(storage, "key")


@pytest.mark.parametrize(
    "place",
    [
        "s3://AKIA:HUSH@plant/run",
        "s3://plant/run?secret_key=HUSH",
        "gs://plant/run?access_token=HUSH",
        "abfs://plant@own.blob.core.windows.net/run?sig=HUSH",
    ],
)
@pytest.mark.ray
def test_a_secret_in_an_address_is_refused_and_not_repeated(place: str) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    with pytest.raises(OptionError, match="holds a password or a key; leave it out") as raised:
        Storage(place)
    assert "HUSH" not in str(raised.value)


@pytest.mark.ray
def test_a_file_that_could_not_be_written_leaves_no_half(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "in the way").touch()
    with pytest.raises(DataError, match="cannot be used"):
        Storage(str(tmp_path)).put("part", b"rows")
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


@pytest.fixture
def model(good: Path) -> blemish.Detector:
    return blemish.fit(good, **OPTIONS)


def verdicts(model: blemish.Detector, paths: list[Path], place: Path) -> Counter[Verdict]:
    return sum(inspect_to_parts(cluster_of(LocalCrew(1)), model, paths, str(place)), Counter[Verdict]())


@pytest.mark.ray
def test_a_part_whose_images_were_taken_anew_is_made_again(
    good: Path, model: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra ray)")
    monkeypatch.setattr("blemish.cluster.inspecting.PART", 5)
    paths, place = sorted(good.iterdir()), tmp_path / "out"
    verdicts(model, paths, place)
    kept = (place / "part-00000000.parquet").stat().st_mtime_ns
    paths[7].write_bytes(b"no picture")
    assert verdicts(model, paths, place)[Verdict.ERROR] == 1
    assert parquet.read_table(place / "part-00000001.parquet").column("verdict").to_pylist()[2] == "ERROR"
    assert (place / "part-00000000.parquet").stat().st_mtime_ns == kept
    save_image(paths[7], good_part(7, 40, 48))
    assert verdicts(model, paths, place)[Verdict.ERROR] == 0


@pytest.mark.ray
def test_parts_of_other_options_or_of_the_same_names_elsewhere_are_refused(
    good: Path, model: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    place = tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    paths = sorted(Path("good").iterdir())
    verdicts(model, paths, place)
    stricter = blemish.Detector.of(model.model, threads=1, max_pixels=100)
    with pytest.raises(OptionError, match="of another model or of other options"):
        verdicts(stricter, paths, place)
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)
    with pytest.raises(OptionError, match="holds the parts of other images"):
        verdicts(model, paths, place)
    (place / "run.json").write_text(json.dumps(["no run"]))
    with pytest.raises(OptionError, match="holds the parts of other images"):
        verdicts(model, paths, place)


@pytest.mark.ray
def test_a_name_that_is_no_unicode_gets_its_row(good: Path, model: blemish.Detector, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra ray)")
    odd = [tmp_path / os.fsdecode(b"odd\xff.png"), tmp_path / os.fsdecode(b"broken\xff.png")]
    odd[0].write_bytes((good / "000.png").read_bytes())
    odd[1].write_bytes(b"no picture")
    assert verdicts(model, odd, tmp_path / "out")[Verdict.ERROR] == 1
    rows = parquet.read_table(tmp_path / "out" / "part-00000000.parquet").to_pylist()
    assert [row["path"] for row in rows] == [f"{tmp_path}/{name}\\udcff.png" for name in ("odd", "broken")]
    assert rows[1]["verdict"] == "ERROR"


@pytest.mark.ray
def test_parts_that_other_machines_wrote_to_their_own_folders_are_missed(
    good: Path, model: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    monkeypatch.chdir(tmp_path)
    paths, honest = sorted(good.iterdir()), Worker.call

    def on_another_machine(worker: Worker, *arguments: Any) -> list[Any]:
        (tmp_path / "machine").mkdir()
        with monkeypatch.context() as there:
            there.chdir(tmp_path / "machine")
            return honest(worker, *arguments)

    monkeypatch.setattr(Worker, "call", on_another_machine)
    with pytest.raises(DataError, match="1 of 1 parts are not in out as this machine sees it"):
        verdicts(model, paths, Path("out"))


def test_a_model_that_another_machine_wrote_to_its_own_folder_is_missed(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.detector.Detector.save", lambda detector, path: None)
    wanted = [Product("part", good, tmp_path / "part.blemish")]
    options = {name: value for name, value in OPTIONS.items() if name not in ("progress", "threads")}
    done = list(fit_products(wanted, options, cluster_of(LocalCrew(1))))
    assert "was written by another machine to a folder of its own" in str(done[0].error)


def test_machines_that_see_one_image_differently_are_noticed_before_the_work(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = iter(["node-1", "node-2"])

    def sample(worker: Worker) -> tuple[str, str]:
        name = next(machines)
        return f"x86_64, {name}", f"bits of {name}"

    monkeypatch.setattr(Worker, "sample", sample)
    with pytest.raises(DataError, match=r"\(x86_64, node-1 and x86_64, node-2\) find other patches in the same image"):
        fitted(good, tmp_path)


def test_workers_of_one_machine_see_one_image_equally(good: Path, tmp_path: Path) -> None:
    assert_equal(blemish.fit(good, **OPTIONS), fitted(good, tmp_path))


@pytest.mark.ray
def test_a_place_that_cannot_keep_a_checkpoint_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra ray)")
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    (tmp_path / "mine.txt").touch()
    monkeypatch.setattr("blemish.cluster.cluster.began", lambda *_: pytest.fail("the work begins"))
    with pytest.raises(OptionError, match="holds other files"), blemish.connect("local", checkpoint=str(tmp_path)):
        pass

    def refused(storage: Storage, name: str, content: bytes) -> None:
        raise DataError("no permission")

    monkeypatch.setattr(Storage, "put", refused)
    state = str(tmp_path / "state")
    with pytest.raises(DataError, match="no permission"), blemish.connect("local", checkpoint=state):
        pass
