"""Fits and inspections on workers in this process, whichever of them die, against those without a cluster."""

import errno
import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crews import LocalCrew, assert_equal, cluster_of, never
from parts import good_part, save_good_parts, save_image, save_parts_with_blotches, stained_part

import blemish
from blemish.arrays import Array
from blemish.cluster.cluster import _introduce
from blemish.cluster.inspecting import inspect_many, inspect_to_parts
from blemish.cluster.plan import chunk_of, shares
from blemish.cluster.products import fit_products, products_of
from blemish.cluster.start import began
from blemish.cluster.worker import Call, Worker
from blemish.errors import DataError, OptionError
from blemish.features.patches import look
from blemish.images.encoded import Encoded
from blemish.images.parts import glance_over
from blemish.images.probe import probe_image
from blemish.images.read import decode
from blemish.images.rules import USUAL, Rules
from blemish.memory.spill import mapping
from blemish.methods.patchcore_learner import PatchCoreLearner
from blemish.methods.prepare import good_images
from blemish.options.settings import divide_options
from blemish.result import Verdict

OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_good_parts(tmp_path_factory.mktemp("good"), 70, 40, 48)


@pytest.fixture(scope="module")
def alone(good: Path) -> blemish.Detector:
    return blemish.fit(good, progress=False, threads=1, **OPTIONS)


def fitted(good: Path, crew: LocalCrew, spill: Path, **more: Any) -> blemish.Detector:
    cluster = cluster_of(crew, more.pop("checkpoint", None))
    return blemish.fit(good, progress=False, threads=1, spill_folder=spill, cluster=cluster, **OPTIONS | more)


@pytest.mark.parametrize("images", [1, 2, 24, 70, 689, 5000, 100_003])
@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_shares_are_whole_chunks_and_nearly_equal(images: int, workers: int) -> None:
    """Two workers that had 384 and 305 of 689 images took a tenth longer than half of them take."""
    chunk, spans = chunk_of(images), shares(images, workers)
    assert [first for first, _ in spans] == [0, *(last for _, last in spans[:-1])]
    assert spans[-1][1] == images
    assert all(first % chunk == 0 for first, _ in spans)
    assert max(last - first for first, last in spans) <= images / workers + chunk
    assert chunk <= max(4, images / 64)


SLOW = pytest.mark.slow
STORED = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed (extra ray)")
"""Checkpoints and parts lie where pyarrow writes them."""


@pytest.mark.parametrize("workers", [pytest.param(1, marks=SLOW), 2, pytest.param(3, marks=SLOW)])
def test_a_fit_on_workers_is_that_of_one_process(
    good: Path, alone: blemish.Detector, tmp_path: Path, workers: int
) -> None:
    assert_equal(alone, fitted(good, LocalCrew(workers), tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_workers_name_the_suspects_of_one_process(tmp_path: Path) -> None:
    folder = save_parts_with_blotches(tmp_path / "rough")
    given: dict[str, Any] = {"size": 96, "coreset": 250, "progress": False, "threads": 1}
    alone = blemish.fit(folder, **given)
    assert alone.suspects
    found = blemish.fit(folder, spill_folder=tmp_path, cluster=cluster_of(LocalCrew(2)), **given)
    assert_equal(alone, found)
    assert found.model.held_out.suspicion_M.tolist() == alone.model.held_out.suspicion_M.tolist()


class Looking(LocalCrew):
    """A crew of which it is noted whether each worker holds its patches in memory when rows are asked for."""

    def __init__(self, workers: int, dies: Callable[[int, Call], bool] = never) -> None:
        super().__init__(workers, dies)
        self.in_memory: dict[int, bool] = {}

    def _answer(self, worker: int, call: Call) -> Any:
        if call.method == "take":
            shards = self._workers[worker]._shards.values()
            self.in_memory[worker] = all(mapping(own.patches.values_ND) is None for own in shards)
        return super()._answer(worker, call)


@pytest.mark.parametrize("numbers", ["float32", "float16"])
def test_workers_hold_in_memory_what_fits_into_it(good: Path, tmp_path: Path, numbers: str) -> None:
    """The bound was made again over the file in each round: a coreset of 2 million patches took 1.85 times as long."""
    ample, narrow = Looking(2), Looking(2)
    more: dict[str, Any] = {"spill_type": numbers}
    held = fitted(good, ample, tmp_path, **more)
    assert ample.in_memory == {0: True, 1: True}
    assert_equal(held, fitted(good, narrow, tmp_path, memory=20_000, **more))
    assert narrow.in_memory == {0: False, 1: False}
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_takes_anothers_place_leaves_its_patches_in_the_file(
    good: Path, alone: blemish.Detector, tmp_path: Path
) -> None:
    """Memory may be what the one before died of, and the next would die of it as well."""
    died: list[int] = []

    def dies_once(number: int, call: Call) -> bool:
        if died or call.method != "meet":
            return False
        died.append(number)
        return True

    crew = Looking(2, dies_once)
    assert_equal(alone, fitted(good, crew, tmp_path))
    assert crew.in_memory == {0: False, 1: True}


def test_lost_patches_of_many_images_come_in_one_journey(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One journey an image took a tenth of the fit of 700 images."""
    journeys = {}
    for at_once in (1, 4096):
        calls: list[str] = []

        def noted(number: int, call: Call, calls: list[str] = calls) -> bool:
            calls.append(call.method)
            return False

        monkeypatch.setattr("blemish.memory.candidates.ROWS_AT_ONCE", at_once)
        assert_equal(alone, fitted(good, LocalCrew(1, noted), tmp_path))
        journeys[at_once] = calls.count("rows")
    assert journeys[4096] < 5 < journeys[1]


def test_workers_decode_each_image_once(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice, a fit of 700 images took a tenth longer than without a cluster, which holds what it has decoded."""
    decoded: list[object] = []

    def counted(image: Encoded, rules: Rules) -> Array:
        decoded.append(image)
        return decode(image, rules)

    monkeypatch.setattr("blemish.images.read.decode", counted)
    assert_equal(alone, fitted(good, LocalCrew(2), tmp_path))
    assert len(decoded) == 70
    fitted(good, LocalCrew(2), tmp_path, memory=70 * 2 * 40 * 48)
    assert 140 < len(decoded) < 210, "as far as there is room"


def test_pixels_of_other_images_are_never_taken(good: Path, tmp_path: Path) -> None:
    """A fit that ends before its first pass leaves them with the workers, under the same numbers."""
    cluster = cluster_of(LocalCrew(2))
    plain = glance_over(sorted(good.iterdir())[:12], USUAL, threads=1, elsewhere=partial(cluster.glance, memory=None))
    others = sorted(good.iterdir())[12:24]
    assert len(plain) == len(others)
    held = [len(worker._held._pixels) for worker in cluster.crew._workers]  # type: ignore[attr-defined]
    assert sum(held) == 12
    settings, resources = divide_options({"size": 32, "coreset": 60, "spill_folder": tmp_path})
    seen = good_images(others, [probe_image(others[0])] * 12, settings, resources, size_asked=True)
    expected = [image.digest for image in seen.seen_by(PatchCoreLearner(seen).graph)]
    found = PatchCoreLearner(replace(seen, workers=cluster))
    assert list(found.digests) == expected
    cluster.release()


def test_workers_that_die_in_any_call_change_nothing(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.memory.coreset.POOL", 256)  # so that a threshold is needed
    met: set[str] = set()

    def dies(number: int, call: Call) -> bool:
        new = call.method not in met
        met.add(call.method)
        return new or number % 7 == 0

    crew = LocalCrew(2, dies)
    assert_equal(alone, fitted(good, crew, tmp_path))
    assert list(tmp_path.iterdir()) == [], "though one died before it deleted its file"
    assert {"extract", "start", "member", "meet", "best", "reaching", "take", "rows", "each"} <= met
    assert crew.lost > len(met)


class Killed(Exception):
    """The end of whoever hands out the work."""


@pytest.mark.ray
@STORED
def test_a_fit_that_was_killed_goes_on_after_any_round_on_other_workers(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.cluster.shards.RayShards.message", 15_000.0)  # many rounds
    place = str(tmp_path / "state")

    def killing(method: str, at: int) -> Iterator[Any]:
        numbers = itertools.count()

        def dies(number: int, call: Call) -> bool:
            if call.method == method and next(numbers) == at:
                raise Killed
            return False

        yield dies

    for workers, (method, at) in enumerate([("extract", 1), ("meet", 1), ("take", 5), ("each", 0)], start=1):
        with pytest.raises(Killed):
            fitted(good, LocalCrew(workers, next(killing(method, at))), tmp_path, checkpoint=place)
    calls: list[str] = []

    def counting(number: int, call: Call) -> bool:
        calls.append(call.method)
        return False

    assert_equal(alone, fitted(good, LocalCrew(2, counting), tmp_path, checkpoint=place))
    assert "take" not in calls  # all rounds were kept


@pytest.mark.ray
@STORED
def test_a_checkpoint_of_other_images_or_settings_is_refused(good: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "state")
    fitted(good, LocalCrew(1), tmp_path, checkpoint=place)
    with pytest.raises(OptionError, match="is of other images, other settings or other versions"):
        fitted(good, LocalCrew(1), tmp_path, checkpoint=place, seed=2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds other files; name an empty folder for the checkpoint"):
        fitted(good, LocalCrew(1), tmp_path, checkpoint=str(tmp_path / "full"))


@pytest.mark.ray
@STORED
def test_a_machine_that_finds_other_patches_is_noticed(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "state")
    fitted(good, LocalCrew(1), tmp_path, checkpoint=place)
    honest = look

    def otherwise(*arguments: Any) -> Any:
        seen = honest(*arguments)
        patches = seen.features["patches"]
        patches.values_QD[0, 0] += np.float32(1e-6)
        return seen

    monkeypatch.setattr("blemish.cluster.worker.look", otherwise)
    with pytest.raises(DataError, match="finds other patches in the same images"):
        fitted(good, LocalCrew(1), tmp_path, checkpoint=place)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "padim"}, "Option cluster cannot be used with the method padim"),
        ({"tile_banks": "each", "tiles": 64, "image_score": "max"}, "cannot be used with tile_banks=each"),
        ({"coreset": 1.0, "size": 32}, "does not keep all patches"),
    ],
)
def test_what_a_cluster_does_not_do_is_refused(
    good: Path, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    cluster = cluster_of(LocalCrew(1))
    with pytest.raises(OptionError, match=sentence):
        blemish.fit(good, progress=False, cluster=cluster, spill_folder=tmp_path, **options)


def test_images_that_are_no_files_are_refused() -> None:
    with pytest.raises(OptionError, match="images as files that all machines can read"):
        blemish.fit([good_part(0), good_part(1)], progress=False, cluster=cluster_of(LocalCrew(1)))


def test_inspection_gives_the_rows_of_one_process(good: Path, alone: blemish.Detector, tmp_path: Path) -> None:
    paths = sorted(good.iterdir())[:9]
    save_image(tmp_path / "stained.png", stained_part(3).grey)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths += [tmp_path / "stained.png", tmp_path / "broken.png"]
    here = [blemish.table([result])[0] for result in alone.inspect_many(paths)]
    there = [blemish.table([each])[0] for each in inspect_many(cluster_of(LocalCrew(2)), alone, paths)]
    assert repr(there) == repr(here)
    assert there[-1]["verdict"] == "ERROR"


@pytest.mark.ray
def test_parts_are_written_once_and_refuse_another_run(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra ray)")
    monkeypatch.setattr("blemish.cluster.inspecting.PART", 4)
    paths = sorted(good.iterdir())[:10]
    place = tmp_path / "out"
    counts = sum(inspect_to_parts(cluster_of(LocalCrew(2)), alone, paths, str(place)), Counter[Verdict]())
    parts = sorted(path.name for path in place.glob("*.parquet"))
    assert parts == ["part-00000000.parquet", "part-00000001.parquet", "part-00000002.parquet"]
    rows = [row for part in parts for row in parquet.read_table(place / part).to_pylist()]
    assert repr(rows) == repr(blemish.table(alone.inspect_many(paths)))
    (place / parts[1]).unlink()
    kept = (place / parts[0]).stat().st_mtime_ns
    again = sum(inspect_to_parts(cluster_of(LocalCrew(1)), alone, paths, str(place)), Counter[Verdict]())
    assert again == counts
    assert sorted(path.name for path in place.glob("*.parquet")) == parts
    assert (place / parts[0]).stat().st_mtime_ns == kept
    with pytest.raises(OptionError, match="holds the parts of other images, of another model or of other options"):
        inspect_to_parts(cluster_of(LocalCrew(1)), alone, paths[1:], str(place))


def test_each_product_gets_a_model_and_one_that_fails_says_why(tmp_path: Path) -> None:
    for name, count in (("bolt", 6), ("nut", 6), ("none", 0)):
        folder = tmp_path / "set" / name / "good"
        folder.mkdir(parents=True)
        save_good_parts(folder, count, 40, 48)
    models = tmp_path / "models"
    models.mkdir()
    products = products_of([str(tmp_path / "set" / "*" / "good")], models)
    assert [product.name for product in products] == ["bolt", "none", "nut"]
    there = list(fit_products(products, {"size": 32}, cluster_of(LocalCrew(2))))
    assert [each.error is None for each in there] == [True, False, True]
    assert "holds no images" in str(there[1].error)
    here = list(fit_products(products, {"size": 32}))
    assert [each.threshold for each in here][::2] == [each.threshold for each in there][::2]
    assert blemish.load(models / "bolt.blemish").threshold == here[0].threshold
    with pytest.raises(DataError, match="is named twice"):
        products_of([str(tmp_path / "set" / "nut")] * 2, models)


def test_without_a_cluster_nothing_of_it_is_imported(good: Path) -> None:
    code = (
        f"import sys, blemish; blemish.fit({str(good)!r}, size=32, progress=False, threads=1);"
        "print([name for name in sys.modules if name.split('.')[0] in ('ray', 'pyarrow') or 'blemish.cluster' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("banana", "The cluster banana has no such form; give local, auto, HOST:PORT, or ray://HOST:PORT"),
        ("127.0.0.1:1", r"Nothing answers at the cluster 127.0.0.1:1 \(.+\); start Ray there"),
        ("127.0.0.1:99999", "Nothing answers at the cluster 127.0.0.1:99999"),
    ],
)
def test_an_address_that_cannot_be_is_refused_at_once(
    address: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself tries for minutes."""
    monkeypatch.setattr("blemish.cluster.start.check_installed", lambda: None)
    with pytest.raises(OptionError, match=sentence), began(address):
        pass


def test_a_cluster_without_ray_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.cluster.start.find_spec", lambda name: None)
    with (
        pytest.raises(OptionError, match=r'needs the package ray and pyarrow.*pip install "blemish\[ray\]"'),
        began("auto"),
    ):
        pass


def test_a_worker_of_other_versions_is_named_also_where_it_takes_anothers_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crew: Any = LocalCrew(2, lambda number, call: call.method == "process")
    _introduce(crew)
    own = Worker().versions()
    assert own.keys() == {"blemish", "numpy", "onnxruntime", "simplejpeg", "Pillow", "OpenCV", "Python"}
    monkeypatch.setattr(Worker, "versions", lambda worker: own | {"numpy": "1.0", "Python": "3.9.1"})
    monkeypatch.setattr("platform.node", lambda: "node-7")
    said = (
        rf"The machine node-7 of the cluster has numpy 1\.0, Python 3\.9\.1, and the one that runs the command numpy "
        rf"{own['numpy']}, Python {own['Python']}; install the same on all, then repeat the command\."
    )
    with pytest.raises(OptionError, match=said):
        crew.ask(Call("process"))


def test_a_full_disk_of_a_worker_is_named_and_the_same_fit_goes_on_afterwards(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [40 * 1000]  # of the 70 images, some fit

    def full(file: FileIO, content: bytes) -> None:
        taken = content[: room[0]]
        room[0] -= len(taken)
        file.write(taken)
        if len(taken) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("platform.node", lambda: "node-7")
    cluster = cluster_of(LocalCrew(2))
    given = OPTIONS | {"spill_folder": tmp_path, "progress": False, "threads": 1}
    with monkeypatch.context() as small:
        small.setattr("blemish.memory.named.write_all", full)
        said = rf"spill folder {tmp_path} of the machine node-7: the disk is full; free some of it, or name another"
        with pytest.raises(DataError, match=said):
            blemish.fit(good, cluster=cluster, **given)
    assert list(tmp_path.iterdir()) != []
    cluster.release()
    assert list(tmp_path.iterdir()) == [], "what a fit leaves when it ends"
    assert_equal(alone, blemish.fit(good, cluster=cluster, **given))
