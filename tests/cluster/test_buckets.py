"""Checkpoints and parts in a bucket, on a server of S3 that runs on this machine."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import KNOWN, NEEDS_SERVER, Server, serving
from crews import LocalCrew, assert_equal, cluster_of
from parts import good_part, save_image

import blemish
from blemish.cluster.inspecting import inspect_to_parts
from blemish.cluster.worker import Call
from blemish.errors import DataError, OptionError
from blemish.result import Verdict
from blemish.system.storage import Storage

pytestmark = NEEDS_SERVER
OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1, "threads": 1, "progress": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KNOWN.items():
        monkeypatch.setenv(name, value)


def test_files_of_a_bucket_are_whole_or_absent(server: Server) -> None:
    storage = Storage(server.place("plant/files"))
    assert storage.names() == []
    assert storage.get("a.json") is None
    storage.put("b.json", b"two")
    storage.put("a.json", b"one")
    storage.put("a.json", b"three")
    assert storage.names() == ["a.json", "b.json"]
    assert storage.get("a.json") == b"three"
    storage.remove(["a.json", "b.json"])
    assert storage.names() == []


def test_a_bucket_that_cannot_be_reached_is_said_in_a_sentence(server: Server) -> None:
    with pytest.raises(DataError, match=r"s3://nobody/x.* cannot be used: "):
        Storage(server.place("nobody/x")).put("a", b"")
    with pytest.raises(OptionError, match=r"cannot be used: .*give a folder, s3://, gs:// or abfs://"):
        Storage("ftp://plant/x")


def test_a_bucket_without_permission_is_said_in_a_sentence(tmp_path: Path) -> None:
    """The server asks from its second request on who one is, and knows nobody."""
    with serving(tmp_path, {"INITIAL_NO_AUTH_ACTION_COUNT": "1"}) as strict:
        with pytest.raises(DataError, match=r"s3://plant/x.* cannot be used: .*(ACCESS_DENIED|INVALID_ACCESS_KEY_ID)"):
            Storage(strict.place("plant/x")).put("a", b"")
        with pytest.raises(DataError, match=r"s3://plant/x.* cannot be used: "):
            Storage(strict.place("plant/x")).names()


class Killed(Exception):
    """The end of whoever hands out the work."""


def test_a_fit_goes_on_from_a_bucket_and_an_inspection_writes_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.cluster.shards.RayShards.message", 15_000.0)  # many rounds
    monkeypatch.setattr("blemish.cluster.inspecting.PART", 4)
    good = tmp_path / "good"
    for seed in range(70):
        save_image(good / f"{seed:03}.png", good_part(seed, 40, 48))
    alone = blemish.fit(good, **OPTIONS)
    state = server.place("plant/state")

    def dies(number: int, call: Call) -> bool:
        if call.method == "each":
            raise Killed
        return False

    given = OPTIONS | {"spill_folder": tmp_path}
    with pytest.raises(Killed):
        blemish.fit(good, cluster=cluster_of(LocalCrew(2, dies), state), **given)
    kept = Storage(state)
    assert any("round" in name for name in kept.names())
    for name in kept.names():
        assert b"secret-of-the-plant" not in (kept.get(name) or b"")
    cluster = cluster_of(LocalCrew(1), state)
    assert_equal(alone, blemish.fit(good, cluster=cluster, **given))
    cluster.clear_checkpoint()
    assert kept.names() == []
    out = server.place("plant/out")
    paths = sorted(good.iterdir())[:6]
    counts = sum(inspect_to_parts(cluster_of(LocalCrew(2)), alone, paths, out), Counter[Verdict]())
    assert counts.total() == 6
    assert Storage(out).names() == ["part-00000000.parquet", "part-00000001.parquet", "run.json"]
