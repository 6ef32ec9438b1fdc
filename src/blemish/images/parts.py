"""Which images show one part: exact copies, near copies, and several pictures of it. A promise counts parts.

Copies are known by their pixels, whatever they are called and however they are compressed without loss; pictures of one
part by what sets parts of a product apart (images/duplicates.py).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from blemish.arrays import Array
from blemish.errors import ImageError, OptionError
from blemish.images.ahead import read_ahead
from blemish.images.duplicates import Groups, near_duplicates
from blemish.images.glance import Glance, read_and_glance
from blemish.images.held import Held
from blemish.images.read import Source, image_name
from blemish.images.rules import Rules
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

__all__ = ["glance_over", "joined_parts", "named_parts"]

COMPARED = 10_000
"""Near copies are looked for among so many images at most: each is compared with every other."""

Answered: TypeAlias = tuple[Glance | ImageError, Array | None]
"""What is seen at a glance, and the pixels where they are here."""


class Glancing(Protocol):
    """A cluster that glances at images."""

    def __call__(
        self, function: Callable[[Source], Answered], sources: Sequence[Source], /
    ) -> Iterator[tuple[int, Glance | ImageError]]:
        """The number of each image and its glance, as they come."""


def named_parts(sources: Sequence[Source], groups: Sequence[str] | None, taken: Collection[str] = ()) -> list[str]:
    """The name of the part that each image shows; by default each shows its own.

    Default names are none of those `taken`, however often an image of one name comes.
    """
    if groups is not None and len(groups) != len(sources):
        raise OptionError(f"{len(groups)} groups were given for {len(sources)} images; give one for each image.")
    if groups is not None:
        return list(groups)
    names, used = [], set(taken)
    for number, source in enumerate(sources, start=len(used)):
        while (name := f"{image_name(source)}#{number}") in used:
            number += len(used)
        names.append(name)
        used.add(name)
    return names


def glance_over(
    sources: Sequence[Source],
    rules: Rules,
    *,
    threads: int,
    progress: Progress = silent,
    held: Held | None = None,
    elsewhere: Glancing | None = None,
) -> list[Glance | ImageError]:
    """What tells each image's part; the error of one that cannot be read. Holds 16 KB an image where few came.

    `held` is given the pixels of each, for those who look at them next; `elsewhere` is a cluster that looks at them.
    """
    prints = len(sources) <= COMPARED
    read = partial(read_and_glance, rules=rules, prints=prints)
    glances: dict[int, Glance | ImageError] = {}
    answers: Iterator[tuple[int, Answered]]
    if elsewhere:  # the pixels stay there
        answers = ((number, (glance, None)) for number, glance in elsewhere(read, sources))
    else:
        answers = enumerate(stream(read, read_ahead(sources), threads=threads))
    for number, (glance, image) in answers:
        if held is not None and image is not None:
            held.hold(number, image)
        glances[number] = glance
        progress("look", len(glances), len(sources))
    return [glances[number] for number in range(len(sources))]


def joined_parts(
    glances: Sequence[Glance | ImageError], names: Sequence[str], *, stated: bool, threads: int
) -> list[str]:
    """The names of the parts where images that show the same one are put under the name of its first.

    Where the user `stated` the parts, only exact copies are joined; else near copies and pictures of one part are too.
    """
    readable = [number for number, glance in enumerate(glances) if isinstance(glance, Glance)]
    seen = [glance for glance in glances if isinstance(glance, Glance)]
    groups = Groups(len(seen))
    groups.join_equal([names[number] for number in readable])
    groups.join_equal([glance.digest for glance in seen])
    if not stated and len(seen) <= COMPARED:
        near_duplicates(seen, groups, threads=threads)
    joined = list(names)
    for members in groups.all():
        for member in members:
            joined[readable[member]] = names[readable[members[0]]]
    return joined
