"""What a fit on a cluster has done so far, so that the same command goes on after whatever ended it."""

import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from blemish.arrays import Bools
from blemish.cluster.plan import ChunkRecord
from blemish.errors import DataError, OptionError
from blemish.memory.coreset import Round
from blemish.system.storage import Storage

__all__ = ["Checkpoint", "check_place"]

KEY = "fit.json"
PROBE = ".probe.tmp"
OWN = re.compile(r"fit\.json|chunk-\d{8}\.json|.+-round-\d{9}\.npz")
"""The names of its files: whatever else lies in the folder is not its own."""

Read = TypeVar("Read")


class Checkpoint:
    """Records of chunks and rounds of coresets, a file each. Raises OptionError for those of another fit."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage = storage
        found = storage.get(KEY)
        if found is not None and self._read(KEY, found, _key_of) != key:
            raise OptionError(
                f"The checkpoint {storage.place} is of other images, other settings or other versions; name another, "
                f"or delete it."
            )
        _check_alone(storage, found)
        storage.put(KEY, json.dumps({"key": key}).encode())

    def record(self, chunk: int) -> ChunkRecord | None:
        """What a chunk looked like, if it was looked at before."""
        found = self._storage.get(_chunk(chunk))
        return None if found is None else self._read(_chunk(chunk), found, lambda own: _record(json.loads(own)))

    def keep_record(self, chunk: int, record: ChunkRecord) -> None:
        self._storage.put(_chunk(chunk), json.dumps(_plain(record)).encode())

    def rounds(self, run: str) -> list[Round]:
        """The rounds of a coreset, as far as each goes on where the one before ended.

        Each is named by the rows before it. Rows come in one order, however they are divided among rounds: so what two
        commands wrote at the same time, on other numbers of shards, is one chain or is left alone.
        """
        found: list[Round] = []
        rows = 0
        while (content := self._storage.get(_named(run, rows))) is not None:
            found.append(self._read(_named(run, rows), content, _round))
            rows += len(found[-1].numbers_R)
        return found

    def keep_round(self, run: str, before: int, done: Round) -> None:
        """Keep a round of which so many rows were chosen `before`."""
        file = io.BytesIO()
        np.savez(file, numbers=done.numbers_R, centres=done.centres_RD, squared=np.array(done.squared, np.float64))
        self._storage.put(_named(run, before), file.getvalue())

    def clear(self) -> None:
        """The fit is done; files that are not its own stay, such as a model that was written beside them."""
        self._storage.remove(list(filter(OWN.fullmatch, self._storage.names())))

    def _read(self, name: str, content: bytes, read: Callable[[bytes], Read]) -> Read:
        try:
            return read(content)
        except (ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile):
            raise DataError(
                f"The file {name} of the checkpoint {self._storage.place} is damaged; delete the checkpoint, or name "
                f"another."
            ) from None


def check_place(place: str) -> None:
    """Find out before the work whether a checkpoint can be kept there: its key is known only when all images are read.

    Raises OptionError where the place holds other files, DataError where it cannot be written to.
    """
    storage = Storage(place)
    _check_alone(storage, storage.get(KEY))
    storage.put(PROBE, b"")
    storage.remove([PROBE])


def _check_alone(storage: Storage, key: bytes | None) -> None:
    if key is None and storage.names():
        raise OptionError(f"{storage.place} holds other files; name an empty folder for the checkpoint.")


def _key_of(content: bytes) -> str:
    return str(json.loads(content)["key"])


def _named(run: str, before: int) -> str:
    return f"{run}-round-{before:09}.npz"


def _chunk(number: int) -> str:
    return f"chunk-{number:08}.json"


def _round(content: bytes) -> Round:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return Round(file["numbers"], file["centres"], file["squared"].tolist())


def _plain(record: ChunkRecord) -> dict[str, Any]:
    seen = {name: _masks(masks) for name, masks in record.seen.items()}
    return {"digests": record.digests, "seen": seen, "dimensions": record.dimensions, "patches": record.patches}


def _masks(masks: Sequence[Bools]) -> dict[str, Any]:
    return {"grid": list(masks[0].shape), "bits": [np.packbits(mask).tobytes().hex() for mask in masks]}


def _record(fields: dict[str, Any]) -> ChunkRecord:
    seen: dict[str, Sequence[Bools]] = {
        name: [_mask(bits, each["grid"]) for bits in each["bits"]] for name, each in fields["seen"].items()
    }
    return ChunkRecord.of(fields["digests"], seen, fields["dimensions"], fields["patches"])


def _mask(bits: str, grid: Sequence[int]) -> Bools:
    found = np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8), count=grid[0] * grid[1])
    return found.astype(np.bool_).reshape(grid)
