"""A detector is one value: it travels, it is shared by threads, and every result names the model it came from."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path

import joblib
import numpy as np
import pytest
from parts import TINY, good_part, scratched_part

from blemish.calibrating import calibrate
from blemish.detector import Detector, load
from blemish.errors import ModelFileError
from blemish.fitting import fit
from blemish.result import Result

THREADS = 8


@pytest.fixture(scope="module")
def detector() -> Detector:
    return fit([good_part(seed) for seed in range(8)], threads=2, **TINY)


def answer(result: Result) -> tuple[object, ...]:
    assert result.anomaly_map is not None
    return result.score, result.threshold, result.verdict, result.nearest, result.anomaly_map.tobytes(), result.model


def test_nothing_of_it_can_be_assigned(detector: Detector) -> None:
    with pytest.raises(FrozenInstanceError):
        detector.model = detector.model  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        detector.manifest = detector.manifest  # type: ignore[misc]
    for each in (detector.manifest.images, detector.manifest.journal, detector.manifest.more_backbones):
        assert isinstance(each, tuple), "the lists of a model cannot grow behind its back"
    for name in ("bank.rows", "bank.image", "candidates.rows", "calibration.image", "calibration.scores"):
        assert not detector.model.content[name].flags.writeable, name


def test_a_change_leaves_the_detector_as_it_was(detector: Detector) -> None:
    before, version = answer(detector.inspect(good_part(30))), detector.model.version
    changed = [
        detector.add([good_part(40)]),
        detector.remove([2]),
        calibrate(detector, false_rejects=0.2),
    ]
    assert answer(detector.inspect(good_part(30))) == before
    assert detector.journal == []
    assert len({version, *(each.model.version for each in changed)}) == 4
    assert [each.undo().model.version for each in changed] == [version] * 3


def test_the_version_is_that_of_the_file(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "part.blemish")
    assert load(tmp_path / "part.blemish").model.version == detector.model.version
    assert detector.inspect(good_part(1)).model == detector.model.version


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(detector: Detector, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(detector, protocol))
    assert answer(again.inspect(good_part(31))) == answer(detector.inspect(good_part(31)))
    assert (again.extractors.provider, again.extractors.threads) == ("cpu", 2)


def test_copies_are_the_value_itself(detector: Detector) -> None:
    assert copy.copy(detector) is detector
    assert copy.deepcopy({"line 3": detector})["line 3"] is detector


def test_a_damaged_pickle_is_refused_in_a_sentence(detector: Detector) -> None:
    content = bytearray(pickle.dumps(detector))
    rows = content.find(b"bank.rows")
    content[-5000] ^= 1
    assert rows > 0
    with pytest.raises(ModelFileError, match="The pickled detector is damaged: the sha256 of tensor"):
        pickle.loads(bytes(content))


def test_joblib_and_a_spawned_process_give_the_same(detector: Detector, tmp_path: Path) -> None:
    here = answer(detector.inspect(good_part(32)))
    joblib.dump(detector, tmp_path / "detector.joblib")
    assert answer(joblib.load(tmp_path / "detector.joblib").inspect(good_part(32))) == here
    np.save(tmp_path / "image.npy", good_part(32))
    (tmp_path / "detector.pickle").write_bytes(pickle.dumps(detector))
    script = f"""
        import multiprocessing, pickle, sys
        from pathlib import Path
        import numpy as np

        def score(detector, image):
            return detector.inspect(image).score

        if __name__ == "__main__":
            folder = Path({str(tmp_path)!r})
            detector = pickle.loads((folder / "detector.pickle").read_bytes())
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(repr(pool.apply(score, (detector, np.load(folder / "image.npy")))))
    """
    (tmp_path / "spawning.py").write_text(textwrap.dedent(script))
    ended = subprocess.run([sys.executable, tmp_path / "spawning.py"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) == here[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
def test_a_process_forked_after_an_inspection_gives_the_same(detector: Detector, tmp_path: Path) -> None:
    """Runtimes hang there whose threads were not copied."""
    detector.save(tmp_path / "part.blemish")
    np.save(tmp_path / "image.npy", good_part(32))
    script = f"""
        import multiprocessing
        import blemish
        import numpy as np

        image = np.load({str(tmp_path / "image.npy")!r})
        detector = blemish.load({str(tmp_path / "part.blemish")!r}, threads=2)
        detector.inspect(image)

        def score(_):
            return detector.inspect(image).score

        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(repr(pool.map_async(score, [0]).get(timeout=120)[0]))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) == detector.inspect(good_part(32)).score


def test_eight_threads_load_inspect_and_replace_models(detector: Detector, tmp_path: Path) -> None:
    """Each result equals a serial one of the version it names, whatever the other threads replace meanwhile."""
    versions = [detector, detector.add([good_part(50)]), detector.remove([3]), calibrate(detector, false_rejects=0.3)]
    for number, version in enumerate(versions):
        version.save(tmp_path / f"{number}.blemish")
    images = [good_part(60), scratched_part(61).grey, good_part(62)]
    serial = {
        (version.model.version, number): answer(version.inspect(image))
        for version in versions
        for number, image in enumerate(images)
    }
    served = [detector]

    def work(turn: int) -> bool:
        if turn % 10 == 0:
            served[0] = load(tmp_path / f"{turn // 10 % len(versions)}.blemish", threads=1)
        elif turn % 10 == 5:
            served[0] = served[0].add([good_part(70 + turn)]).undo()
        number = turn % len(images)
        result = served[0].inspect(images[number])
        return answer(result) == serial[result.model, number]

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(160)))


def test_both_print_in_one_line(detector: Detector) -> None:
    threshold = f"{detector.threshold:.4g}"
    assert repr(detector) == f"Detector(patchcore, 60 rows x 152, threshold {threshold}, 8 good images)"
