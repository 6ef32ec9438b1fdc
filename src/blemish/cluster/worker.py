"""What runs on each machine: a process that holds a share of the good images' patches, and does other work it is sent.

It knows nothing of Ray, so that it can be tested in one process.
"""

import hashlib
import os
import pickle
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import cv2
import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.cluster.plan import ChunkRecord, ShardPlan, ShareFiles
from blemish.errors import DataError, OptionError
from blemish.features.made_up import sight_of
from blemish.features.patches import AnyExtractor, Features, look
from blemish.features.tiles import extractor_for
from blemish.images.ahead import read_ahead
from blemish.images.held import Held
from blemish.images.read import Source
from blemish.images.transform import pixels_digest
from blemish.memory.choose import ShardHere, coreset_shard
from blemish.memory.named import NamedRoom, remove_all
from blemish.memory.shards import ArrayShard, Behind, Cut, Reaching, Top
from blemish.memory.spill import fit_into
from blemish.memory.training import TrainingPatches
from blemish.methods.good_images import GoodImage
from blemish.options.settings import Resources, checked
from blemish.system.stream import stream

__all__ = ["Call", "Sent", "Worker"]

SAME = {name: name for name in ("blemish", "numpy", "onnxruntime", "simplejpeg")} | {"Pillow": "pillow"}
"""Packages that give other bits in other versions, beside OpenCV, which has several."""


class Call(NamedTuple):
    """What a worker is to do: the name of its method, and the arguments."""

    method: str
    arguments: tuple[Any, ...] = ()


class Sent(NamedTuple):
    """A function on its way to workers."""

    key: str
    content: bytes

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "Sent":
        content = pickle.dumps(function)
        return cls(hashlib.sha256(content).hexdigest(), content)


class Worker:
    """Holds a share, or none; every question about patches names the look by the name of its grid."""

    def __init__(self) -> None:
        self._plan: ShardPlan | None = None
        self._records: list[ChunkRecord] = []
        self._rooms: dict[str, NamedRoom] = {}
        self._shards: dict[str, ShardHere] = {}
        self._running: dict[str, ArrayShard] = {}
        self._extractor: AnyExtractor | None = None
        self._held = Held(0)
        self._kept: tuple[str, Any] = "", None
        """The function that came last, by its digest: chunk after chunk is sent with the same one."""

    def enter(self, folder: str) -> None:
        """Work in the folder that paths were named from, where this machine has it."""
        with suppress(OSError):
            os.chdir(folder)

    def versions(self) -> dict[str, str]:
        """What must be the same on all machines."""
        found = {name: _version(package) for name, package in SAME.items()}
        return found | {"OpenCV": cv2.__version__, "Python": platform.python_version()}

    def agree(self, wanted: dict[str, str]) -> None:
        """Raise OptionError where this machine has other versions than the one that hands out the work."""
        own = self.versions()
        if other := [name for name in wanted if own.get(name) != wanted[name]]:
            raise OptionError(
                f"The machine {platform.node()} of the cluster has {_named(own, other)}, and the one that runs the "
                f"command {_named(wanted, other)}; install the same on all, then repeat the command."
            )

    def process(self) -> int:
        """The number of its process on its machine."""
        return os.getpid()

    def call(self, sent: Sent, items: Sequence[Any], threads: int) -> list[Any]:
        """The answers of the function that was sent, for each item, in order."""
        function = self._function(sent)
        ahead = getattr(function, "ahead", None)  # what reads images may know which to read while others are looked at
        return list(stream(function, ahead(items) if ahead else items, threads=threads))

    def sees(self, sent: Sent) -> tuple[str, str]:
        """Its machine, and the digest of what the function that was sent finds there in an image, which is made up."""
        return _machine(), self._function(sent).sees()

    def make_room(self, memory: int) -> None:
        """Hold the pixels of images that come, as far as this budget of bytes allows; those of others are let go."""
        self._held = Held(memory)

    def glance(self, sent: Sent, sources: Sequence[Source], first: int, threads: int) -> list[Any]:
        """What the function that was sent answers for images of the share to come, from number `first` on.

        The pixels it gives beside each answer are held.
        """
        found = []
        answers = stream(self._function(sent), read_ahead(sources), threads=threads)
        for number, (answer, image) in enumerate(answers, start=first):
            if image is not None:
                self._held.hold(number, image)
            found.append(answer)
        return found

    def take_share(self, plan: ShardPlan) -> None:
        """Begin a share of the good images; files of another one are let go."""
        self._plan, self._records = plan, []
        self._rooms = {name: NamedRoom(path, plan.spill_type) for name, path in plan.files.paths().items()}
        self._shards, self._running = {}, {}
        self._extractor = None
        if not plan.glanced:
            self._held = Held(0)

    def sample(self) -> tuple[str, str]:
        """Its machine, and the digest of what the network finds there in one image, which is made up."""
        return _machine(), sight_of(self._network(), self._its_plan().viewer.transform)

    def extract(self, chunk: int, known: ChunkRecord | None) -> ChunkRecord:
        """Look at the images of the next chunk, unless its patches are in the file already, as they were `known`.

        Raises DataError where the patches are not those known: another processor may give other bits.
        """
        assert chunk == len(self._records), "chunks come in order"
        if known and all(
            room.keeps(known.count(name), known.dimensions[name], known.patches[name])
            for name, room in self._rooms.items()
        ):
            self._records.append(known)
            return known
        record = self._looked_at(chunk)
        if known and record.patches != known.patches:
            raise DataError(
                f"This machine ({platform.machine()}, {platform.node()}) finds other patches in the same images than "
                f"the one that looked at them before; use machines of one kind, or begin again without the checkpoint."
            )
        self._records.append(record)
        return record

    def end_extraction(self, first: dict[str, int]) -> None:
        """All chunks are there: the patches can be asked about. `first` is the number of its first one at each look."""
        plan = self._its_plan()
        own = {"threads": plan.threads, "memory": plan.memory, "spill_folder": plan.files.folder}
        resources = checked(Resources, own | {"spill_type": plan.spill_type})
        in_memory = fit_into(plan.memory, sum(room.numbers for room in self._rooms.values()))
        for name, room in self._rooms.items():
            patches = self._training(name, room.patches(in_memory=in_memory))
            self._shards[name] = coreset_shard(patches, plan.settings, resources, first=first[name])

    def start(self, name: str, images: Bools | None) -> tuple[int, int]:
        """Begin a coreset; returns its patches, and how many of them take part."""
        own = self._shards[name]
        shard = own.shard
        members = shard.start(None if images is None else images[own.patches.image_N])
        self._running[name] = shard
        return len(shard), members

    def member(self, name: str, position: int) -> tuple[int, Floats]:
        return self._asked(name).member(position)

    def meet(self, name: str, centres_RD: Floats, numbers_R: Ints, known: int) -> None:
        self._asked(name).meet(centres_RD, numbers_R, known)

    def best(self, name: str, every: int, keep: int, known: int) -> Doubles:
        return self._asked(name).best(every, keep, known)

    def reaching(self, name: str, threshold: float, most: int, known: int) -> Reaching:
        return self._asked(name).reaching(threshold, most, known)

    def take(self, name: str, cut: Cut, known: int) -> Top:
        return self._asked(name).take(cut, known)

    def rows(self, name: str, numbers_P: Ints) -> Floats:
        """Patches, by their numbers over all shares."""
        own = self._shards[name]
        return own.patches.rows(numbers_P - own.shard.first)

    def each(self, sent: Sent, images: Sequence[int]) -> list[Any]:
        """What the function that was sent answers for each of these images of its share."""
        function = self._function(sent)
        return list(stream(lambda image: function(image, self._of(image)), images, threads=self._its_plan().threads))

    def of_image(self, image: int) -> Features:
        """The patches of one image at every look."""
        return self._of(image)

    def leave_share(self, files: ShareFiles) -> None:
        """Forget the share, and delete its files, though another worker may have filled them."""
        for room in self._rooms.values():
            room.close()
        self._plan, self._shards, self._running, self._rooms = None, {}, {}, {}
        self._held = Held(0)
        remove_all(list(files.paths().values()))

    def _asked(self, name: str) -> ArrayShard:
        if name not in self._running:
            raise Behind("this worker has begun no coreset")
        return self._running[name]

    def _of(self, image: int) -> Features:
        return {name: own.patches.of_image(image) for name, own in self._shards.items()}

    def _looked_at(self, chunk: int) -> ChunkRecord:
        plan = self._its_plan()
        sources = plan.sources[chunk * plan.chunk : (chunk + 1) * plan.chunk]
        at_once, _ = plan.viewer.transform.share(plan.threads)
        self._network()
        numbered = enumerate(sources, start=plan.first + chunk * plan.chunk)
        given = [self._held.take(number, source) for number, source in numbered]
        images: list[GoodImage] = list(stream(self._look, read_ahead(given), threads=at_once))
        for image in images:
            for name, room in self._rooms.items():
                room.append(image.features[name].values_QD)
        first = images[0].features
        return ChunkRecord.of(
            [image.digest for image in images],
            {name: [image.features[name].seen_hw for image in images] for name in plan.names},
            {name: first[name].values_QD.shape[1] for name in plan.names},
            {name: room.end_chunk() for name, room in self._rooms.items()},
        )

    def _network(self) -> AnyExtractor:
        if self._extractor is None:
            plan = self._its_plan()
            _, threads = plan.viewer.transform.share(plan.threads)
            self._extractor = extractor_for(plan.graph, plan.viewer.transform, provider=plan.provider, threads=threads)
        return self._extractor

    def _look(self, source: Source) -> GoodImage:
        seen = look(source, self._its_plan().viewer, self._network())
        return GoodImage(seen.features, pixels_digest(seen.sized))

    def _training(self, name: str, patches_ND: Array) -> TrainingPatches:
        plan = self._its_plan()
        seen = [seen_hw for record in self._records for seen_hw in record.seen[name]]
        counts = [np.count_nonzero(seen_hw) for seen_hw in seen]
        image_N = np.repeat(np.arange(plan.first, plan.first + len(seen)), counts)
        cell_N = np.concatenate([np.flatnonzero(seen_hw) for seen_hw in seen])
        return TrainingPatches(patches_ND, image_N, cell_N, seen[0].shape, seen, plan.first)

    def _function(self, sent: Sent) -> Any:
        if self._kept[0] != sent.key:
            self._kept = sent.key, pickle.loads(sent.content)
        return self._kept[1]

    def _its_plan(self) -> ShardPlan:
        assert self._plan is not None, "a share was taken"
        return self._plan


def _machine() -> str:
    return f"{platform.machine()}, {platform.node()}"


def _named(versions: dict[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {versions.get(name)}" for name in names)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
