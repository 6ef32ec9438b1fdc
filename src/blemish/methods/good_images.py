"""The good images of a fit: how they are looked at, and what a method may ask of them and of their patches."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from blemish.arrays import Array, Ints
from blemish.backbones.backbone import Backbone
from blemish.errors import OptionError
from blemish.features.looks import PlannedLook
from blemish.features.patches import AnyExtractor, Features, look
from blemish.features.tiles import extractor_for
from blemish.images.held import Held
from blemish.images.read import Source, image_name, read_image
from blemish.images.transform import Transform, View, Viewer, pixels_digest
from blemish.memory.choose import Choosable
from blemish.memory.training import Patches
from blemish.options.settings import Resources, Settings
from blemish.system.progress import Progress, silent
from blemish.system.stream import available_threads, stream

__all__ = ["GoodImage", "GoodImages", "GoodPatches", "Workers", "check_fits_elsewhere", "fits_elsewhere"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GoodImage(NamedTuple):
    """What a graph answers for one good image, and by which digits its pixels are known again."""

    features: Features
    digest: str
    """The sha256 of the pixels as they were sized."""


class GoodPatches(Protocol):
    """The patches of all good images at every look, wherever they live."""

    digests: Sequence[str]
    """Of the sized pixels of each image."""

    @property
    def looks(self) -> Mapping[str, Patches]:
        """Those of each look, by the name of its grid."""

    @property
    def shards(self) -> Sequence[Choosable]:
        """The same as the coreset sees them, in this order."""

    def each(self, function: Callable[[int, Features], Answer], images: Sequence[int]) -> Iterator[Answer]:
        """What the function answers for each of these images, in order; it may be called where the patches live."""

    def of_image(self, image: int) -> Features:
        """The patches of one image at every look."""


class Workers(Protocol):
    """Processes, here or on other machines, that do the long steps of a fit; answers are those of one process."""

    def stream(
        self, function: Callable[[Item], Answer], items: Iterable[Item], *, heavy: bool = False
    ) -> Iterator[Answer]:
        """Yield `function(item)` for each item, in order; both travel, and so do the answers.

        Of `heavy` answers, such as maps, only a few for each processor wait to be taken.
        """

    def glance(
        self,
        function: Callable[[Source], tuple[Answer, Array | None]],
        sources: Sequence[Source],
        *,
        memory: int | None,
    ) -> Iterator[tuple[int, Answer]]:
        """The number of each source and what the function answers, as they come.

        The pixels beside the answer stay with who will look at the image next (`gather`), as far as `memory` allows.
        """

    def gather(self, good: "GoodImages", graph: bytes, names: Sequence[str]) -> GoodPatches:
        """Look at the good images, and keep their patches where they were made."""

    def release(self) -> None:
        """Forget the patches: all was learnt of them."""


def check_fits_elsewhere(settings: Settings) -> None:
    """Raise OptionError unless `Workers` can fit so: they choose among patches they hold, and never bring all here."""
    if settings.method != "patchcore":
        raise OptionError(f"Option cluster cannot be used with the method {settings.method}: leave it out.")
    if settings.tile_banks == "each":
        raise OptionError("Option cluster cannot be used with tile_banks=each: leave one of them out.")
    if settings.coreset == 1 and settings.radius is None:
        raise OptionError("A cluster does not keep all patches: give --coreset a number of rows, or a share below 1.")


def fits_elsewhere(settings: Settings) -> bool:
    """Whether `Workers` can fit so (`check_fits_elsewhere`)."""
    try:
        check_fits_elsewhere(settings)
    except OptionError:
        return False
    return True


@dataclass(frozen=True)
class GoodImages:
    """The good images of a fit, and what a method may ask of them; `backbone` is None if it needs none."""

    sources: Sequence[Source]
    viewer: Viewer
    settings: Settings
    resources: Resources
    backbone: Backbone | None
    looks: Sequence[PlannedLook]
    """What a method that looks at patches sees of each image; empty for one that needs no network."""
    part_N: Ints
    """The number of the part that each image shows."""
    progress: Progress = silent
    held: Held = field(default_factory=Held)
    """Those that were decoded already."""
    workers: Workers | None = None
    """Who looks at them; None: this process."""
    contents: str = ""
    """Digits that stand for the pixels of all of them, for `workers`."""

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def threads(self) -> int:
        return self.resources.threads or available_threads()

    @property
    def transform(self) -> Transform:
        """How images are sized."""
        return self.viewer.transform

    def sized(self, number: int) -> tuple[Array, View]:
        """The pixels of one image as the graph sees them (height, width, 3), and how the image lies on them."""
        source = self.held.take(number, self.sources[number])
        return self.viewer(read_image(source, rules=self.viewer.rules), image_name(source))

    def digests(self) -> list[str]:
        """The digest of each image, from reading it once more: for methods that do so anyway, again and again."""
        return list(stream(lambda number: pixels_digest(self.sized(number)[0]), range(len(self)), threads=self.threads))

    def features(self, graph: bytes, images: Sequence[int] | None = None) -> Iterator[Features]:
        """What a graph answers for these images or all, in order, a few at a time; of tiled ones, one at a time."""
        return (image.features for image in self.seen_by(graph, images))

    def seen_by(self, graph: bytes, images: Sequence[int] | None = None) -> Iterator[GoodImage]:
        """The same, each with its digest."""
        at_once, threads = self.transform.share(self.threads)
        extractor = extractor_for(graph, self.transform, provider=self.resources.provider, threads=threads)
        numbers = range(len(self)) if images is None else images
        return stream(partial(self._seen_by, extractor), numbers, threads=at_once)

    def _seen_by(self, extractor: AnyExtractor, number: int) -> GoodImage:
        seen = look(self.held.take(number, self.sources[number]), self.viewer, extractor)
        return GoodImage(seen.features, pixels_digest(seen.sized))
