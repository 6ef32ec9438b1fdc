"""A fit on several machines of Ray, which are faked on this one, when one of them goes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from crews import assert_equal, cluster_of
from parts import good_part, save_image

import blemish
from blemish.cluster.start import began
from blemish.cluster.worker import Call

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (extra ray)"),
    pytest.mark.skipif(sys.platform != "linux", reason="Ray fakes machines on Linux"),
]
OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1, "threads": 1, "progress": False}


@contextmanager
def faked(count: int, processors: int = 1) -> Iterator[Any]:
    """So many machines of as many processors each, the head among them."""
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80 * 10**6}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": processors, **memory})
    try:
        for _ in range(count - 1):
            cluster.add_node(num_cpus=processors, **memory)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder of good parts; beside it an empty one, for patches."""
    for seed in range(140):
        save_image(tmp_path / "good" / f"{seed:03}.png", good_part(seed, 40, 48))
    (tmp_path / "spill").mkdir()
    return tmp_path / "good"


@pytest.mark.slow
@pytest.mark.parametrize(("count", "each"), [(1, 1), (1, 4), (2, 1), (2, 2)])
def test_a_fit_on_few_machines_is_that_of_one_process(good: Path, tmp_path: Path, count: int, each: int) -> None:
    from blemish.cluster.crew import Crew

    workers = count * each
    with faked(count, each) as machines, began(machines.address) as processors, Crew(workers, 1) as crew:
        assert processors == [each] * count
        assert len(set(crew.ask(Call("node")))) == count
        found = blemish.fit(good, cluster=cluster_of(crew), spill_folder=tmp_path / "spill", **OPTIONS)
    assert_equal(blemish.fit(good, **OPTIONS), found)


def test_a_machine_that_goes_changes_nothing(good: Path, tmp_path: Path) -> None:
    from blemish.cluster.crew import Crew

    spill = tmp_path / "spill"
    alone = blemish.fit(good, **OPTIONS)
    with faked(3) as machines, began(machines.address) as processors, Crew(3, 1) as crew:
        assert processors == [1, 1, 1]
        assert len(set(crew.ask(Call("node")))) == 3
        cluster = cluster_of(crew)
        assert_equal(alone, blemish.fit(good, cluster=cluster, spill_folder=spill, **OPTIONS))
        went: list[str] = []

        def progress(step: str, done: int, total: int) -> None:
            if step == "coreset" and not went:
                went.append(step)
                machines.remove_node(sorted(machines.worker_nodes, key=lambda node: node.node_id)[0])

        found = blemish.fit(good, cluster=cluster, spill_folder=spill, **OPTIONS | {"progress": progress})
        assert_equal(alone, found)
        assert crew.lost == len(went) == 1
        assert list(spill.iterdir()) == []
