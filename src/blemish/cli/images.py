"""How commands take good or defective images: folders, files, patterns, or one CSV that knows labels and groups."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from blemish.cli.console import say
from blemish.system.outputs import typed

if TYPE_CHECKING:
    from blemish.data.samples import Sample
    from blemish.system.address import Place

__all__ = ["found_images", "labelled_images", "labelled_set", "retyped"]


def found_images(sources: list[str], *, recursive: bool = False) -> "list[Place]":
    """The images that were named, after a word on what was left out of folders. Raises DataError."""
    from blemish.images.files import find_images

    found = find_images(sources, recursive=recursive)
    if found.left_out:
        say(str(found))
    return found.images


def labelled_images(
    sources: list[str], *, label: int, split: Literal["train", "test"], recursive: bool = False
) -> "tuple[list[Place], list[str] | None]":
    """Expand what was named; one CSV gives its images of this label and split, and their groups. Raises DataError."""
    from blemish.data.samples import read_samples
    from blemish.errors import DataError
    from blemish.system.address import place_of

    if len(sources) != 1 or not sources[0].lower().endswith(".csv"):
        return found_images(sources, recursive=recursive), None
    samples = [s for s in read_samples(place_of(sources[0])) if s.split == split and s.label == label]
    if not samples:
        kind = "defective" if label else "good"
        raise DataError(f"{sources[0]} names no {kind} image of split {split}; fill its columns label and split.")
    return [sample.path for sample in samples], [sample.group for sample in samples]


def labelled_set(data: Path | None, good: Path | None, defective: Path | None, masks: Path | None) -> "list[Sample]":
    """The labelled images of a data set, after a word on what was left out of its folders. Raises DataError."""
    from blemish.data.samples import labelled_samples
    from blemish.images.files import find_images
    from blemish.system.address import identity, place_of

    samples = labelled_samples(data, good, defective, masks)
    places = [place_of(folder) for folder in (data, good, defective) if folder is not None]
    if folders := [folder for folder in places if folder.is_dir()]:
        known = {identity(path) for sample in samples for path in (sample.path, sample.mask) if path}
        found = find_images(folders, recursive=True)
        others = sum(identity(path) not in known for path in found.images)
        found.left_out.update({"images in none of the folders that are read": others} if others else {})
        if found.left_out:
            say(str(found))
    return samples


def retyped(sources: list[str], *, recursive: bool) -> str:
    """The images as they were named, to be typed again behind another command."""
    return " ".join([*map(typed, sources), *(["--recursive"] if recursive else [])])
