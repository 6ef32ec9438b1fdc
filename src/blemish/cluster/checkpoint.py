"""What a fit on a cluster has done so far, so that the same command goes on after whatever ended it."""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from blemish.arrays import Bools
from blemish.cluster.plan import ChunkRecord
from blemish.cluster.storage import Storage
from blemish.errors import OptionError
from blemish.memory.coreset import Round

__all__ = ["Checkpoint"]

KEY = "fit.json"


class Checkpoint:
    """Records of chunks and rounds of coresets, a file each. Raises OptionError for those of another fit."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage = storage
        found = storage.get(KEY)
        if found is not None and json.loads(found).get("key") != key:
            raise OptionError(
                f"The checkpoint {storage.place} is of other images or other settings; name another, or delete it."
            )
        if found is None and storage.names():
            raise OptionError(f"{storage.place} holds other files; name an empty folder for the checkpoint.")
        storage.put(KEY, json.dumps({"key": key}).encode())

    def record(self, chunk: int) -> ChunkRecord | None:
        """What a chunk looked like, if it was looked at before."""
        found = self._storage.get(_chunk(chunk))
        return None if found is None else _record(json.loads(found))

    def keep_record(self, chunk: int, record: ChunkRecord) -> None:
        self._storage.put(_chunk(chunk), json.dumps(_plain(record)).encode())

    def rounds(self, run: str) -> list[Round]:
        """The rounds of a coreset, as far as it came."""
        return list(map(_round, self._files(run)))

    def keep_round(self, run: str, number: int, done: Round) -> None:
        file = io.BytesIO()
        np.savez(file, numbers=done.numbers_R, centres=done.centres_RD, squared=np.array(done.squared, np.float64))
        self._storage.put(f"{run}-round-{number:06}.npz", file.getvalue())

    def clear(self) -> None:
        """The fit is done."""
        self._storage.remove(self._storage.names())

    def _files(self, run: str) -> list[bytes]:
        names = [name for name in self._storage.names() if name.startswith(f"{run}-round-")]
        found = map(self._storage.get, names)
        return [content for content in found if content is not None]


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
