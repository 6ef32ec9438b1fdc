"""Things that are shared: one of each, gone with the last who holds it; and what models of one graph share."""

import copy
import gc
import multiprocessing
import pickle
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from parts import good_part

from blemish.backbones.checked import checked_graph
from blemish.detector import Detector, load
from blemish.errors import ModelFileError
from blemish.features.patches import Extractor
from blemish.fitting import fit
from blemish.methods.patchcore import PatchCore
from blemish.model.container import pack, unpack
from blemish.model.file import DIGEST, MANIFEST, model_bytes, model_of, seal
from blemish.model.model import tensor_sha256
from blemish.system.shared import Shared


class Thing:
    """Something that may be held weakly."""


def test_one_is_made_for_each_key_and_goes_with_the_last_who_holds_it() -> None:
    things: Shared[bytes, Thing] = Shared()
    first = things.get(b"a", Thing)
    assert things.get(b"a", Thing) is first
    assert things.get(b"b", Thing) is not first
    gone = weakref.ref(first)
    del first
    assert gone() is None
    assert things.get(b"a", Thing) is not gone()


def test_one_is_made_however_many_threads_ask_at_once() -> None:
    things: Shared[int, Thing] = Shared()
    made, together = [], threading.Barrier(8)

    def make() -> Thing:
        time.sleep(0.01)
        made.append(Thing())
        return made[-1]

    def ask(number: int) -> Thing:
        together.wait()
        return things.get(number % 2, make)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert len(made) == 2
    assert len({id(thing) for thing in found}) == 2


def test_what_fails_is_tried_again_and_holds_nobody_up() -> None:
    things: Shared[str, Thing] = Shared()

    def fail() -> Thing:
        raise OSError("no room")

    for _ in range(2):
        with pytest.raises(OSError, match="no room"):
            things.get("a", fail)
    assert isinstance(things.get("a", Thing), Thing)


def test_a_process_that_was_forked_begins_with_none() -> None:
    """A session of ONNX Runtime with several threads would wait there for threads that only its parent has."""
    things: Shared[str, Thing] = Shared()
    mine = things.get("a", Thing)
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    child = context.Process(target=lambda: told.put(things.get("a", Thing) is mine))
    child.start()
    assert told.get() is False
    child.join()
    assert things.get("a", Thing) is mine


def test_models_of_one_graph_hold_it_once_and_run_it_by_one_session(model: Path) -> None:
    one, two = load(model, threads=1), load(model, threads=1)
    assert one.model.graph is two.model.graph
    assert one.model.checked is two.model.checked
    assert one.extractors.shared is two.extractors.shared
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert other.extractors.shared is one.extractors.shared
        assert other.inspect(good_part(20)) == two.inspect(good_part(20))
    assert load(model, threads=2).extractors.alone is not one.extractors.alone


def test_an_image_sees_the_same_by_a_session_that_others_use_at_once(detector: Detector, model: Path) -> None:
    detectors = [load(model, threads=1) for _ in range(4)]
    scores = [detector.inspect(good_part(seed)).score for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        told = threads.map(lambda seed: detectors[seed % 4].inspect(good_part(seed % 8)).score, range(64))
    assert list(told) == scores * 8


def test_models_of_another_size_share_the_graph_but_no_session(model: Path, folder: Path) -> None:
    one = load(model)
    wide = fit(folder / "fit", size="64x128", coreset=10, folds=2)
    content = model_bytes(wide.model)
    two = Detector.of(model_of(content, "wide"))
    assert two.extractors.shared is not one.extractors.shared
    assert two.model.checked is not None
    assert two.model.checked.work((64, 128, 3)).outputs.keys() == {"patches"}
    assert two.inspect(good_part(3)) == wide.inspect(good_part(3))


def test_models_of_one_session_are_each_tried_but_the_network_is_asked_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(folder / "fit", size=32, taps=["2"], coreset=10, folds=2).save(tmp_path / "small.blemish")
    done: list[str] = []
    for owner, name in ((Extractor, "__call__"), (PatchCore, "score")):
        monkeypatch.setattr(owner, name, noted(done, getattr(owner, name)))
    held = [load(tmp_path / "small.blemish", threads=1) for _ in range(3)]
    assert held[0].extractors.shared is held[2].extractors.shared
    assert done == ["__call__", "score", "score", "score"]


def noted(done: list[str], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which also notes its name."""

    def noting(*given: Any) -> Any:
        done.append(function.__name__)
        return function(*given)

    return noting


def test_graph_and_session_go_with_the_last_model_that_has_them(model: Path, folder: Path) -> None:
    fitted = fit(folder / "fit", size=48, taps=["2"], coreset=10, folds=2)
    content = model_bytes(fitted.model)
    del fitted
    one, two = (Detector.of(model_of(content, "small"), threads=1) for _ in range(2))
    assert one.model.checked is not None
    held: list[weakref.ref[object]] = [weakref.ref(one.model.checked), weakref.ref(one.extractors.shared)]
    del one
    gc.collect()
    assert all(each() is not None for each in held)
    two.inspect(good_part(0))
    del two
    gc.collect()
    assert all(each() is None for each in held)


def test_a_graph_that_must_not_run_is_refused_beside_one_that_may(model: Path) -> None:
    """Nothing that is known of one graph is taken for another's."""
    held = load(model)
    box = unpack(model.read_bytes())
    graph = onnx.load_from_string(held.model.graph)
    next(node for node in graph.graph.node if node.op_type == "Conv").op_type = "Loop"
    tensors = {**box.tensors, "graph.onnx": np.frombuffer(graph.SerializeToString(), np.uint8)}
    text = box.metadata[MANIFEST].replace(
        tensor_sha256(box.tensors["graph.onnx"]), tensor_sha256(tensors["graph.onnx"])
    )
    content = pack(tensors, {MANIFEST: text, DIGEST: seal({MANIFEST: text})})
    with pytest.raises(ModelFileError, match="Loop"):
        model_of(content, "the model")
    assert held.model.checked is checked_graph(held.model.graph)


def test_a_model_keeps_no_more_of_its_file_than_what_is_its_own(model: Path) -> None:
    """Its tensors are not views of the file's bytes, most of which are the graph; and nobody can change them."""
    for name, tensor in load(model).model.content.items():
        base: Any = tensor
        while isinstance(base, np.ndarray) and base.base is not None:
            base = base.base
        assert name == "graph.onnx" or memoryview(base).nbytes < 1.1 * tensor.nbytes + 1000
        assert name != "graph.onnx" or not tensor.flags.writeable
