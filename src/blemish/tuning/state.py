"""What is measured so far, as a file: written whole after each family of looks, so that the same command goes on."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from blemish.errors import DataError
from blemish.images.read import Source, image_name
from blemish.system.address import stamp
from blemish.system.outputs import Kind
from blemish.system.whole_file import write_whole
from blemish.tuning.measure import Job, MeasuredLook

__all__ = ["STATE", "Progressed", "key_of"]

FORMAT = "blemish tuning 1"
MAPS = ("good_Nhw", "made_Mhw", "real_Rhw")


def _is_state(path: Path) -> bool:
    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except SafetensorError:
        return False


STATE = Kind("a state of tune", _is_state)


def key_of(job: Job) -> str:
    """A digest of all that the measured values depend on: images by name, size and time, options, defects to make."""
    told = {
        "good": [_stamp(source) for source in job.good.sources],
        "defective": [_stamp(source) for source in job.defective],
        "settings": job.good.settings.model_dump(mode="json"),
        "folds": job.fold_N.tolist(),
        "drawings": [(drawing.image, drawing.donor, drawing.cell, drawing.seed) for drawing in job.drawings],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


class Progressed:
    """The looks measured so far, kept at `path` or, where that is None, only in memory."""

    def __init__(self, path: Path | None, key: str) -> None:
        """Go on from the file where it was written for the same images and options; else begin anew.

        Raises DataError for a file of another kind.
        """
        self.looks: dict[str, MeasuredLook] = {}
        self._path, self._key = path, key
        if path is None or not path.exists() or path.stat().st_size == 0:
            return
        if not _is_state(path):
            raise DataError(f"{path} is there and is not a state of tune; choose another name.")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            if metadata["key"] != key:
                return
            for look, times in json.loads(metadata["times"]).items():
                maps = {name: file.get_tensor(f"{look}/{name}") for name in MAPS}
                self.looks[look] = MeasuredLook(**maps, network_ms=times[0], search_ms=times[1])

    def has(self, family: Sequence[str]) -> bool:
        """Whether all these looks are measured."""
        return all(look in self.looks for look in family)

    def add(self, looks: dict[str, MeasuredLook]) -> None:
        """Take in what was measured, and write all of it. Raises DataError where the file cannot be written."""
        self.looks |= looks
        if self._path is None:
            return
        tensors = {
            f"{look}/{name}": np.ascontiguousarray(getattr(measured, name))
            for look, measured in self.looks.items()
            for name in MAPS
        }
        times = {look: (measured.network_ms, measured.search_ms) for look, measured in self.looks.items()}
        metadata = {"format": FORMAT, "key": self._key, "times": json.dumps(times)}
        try:
            write_whole(self._path, save(tensors, metadata))
        except OSError as error:
            raise DataError(f"{self._path} cannot be written: {error.strerror or error}.") from None

    def forget(self) -> None:
        """Delete the file: the work is done."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _stamp(source: Source) -> tuple[str, int, int]:
    """By what an image is known again, without reading it."""
    name = image_name(source)
    if isinstance(source, str | os.PathLike):
        return name, *stamp(source)
    return name, 0, 0
