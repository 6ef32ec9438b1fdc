"""Examine a data set before fitting on it: what would stop a fit, spoil a measurement or weaken a threshold."""

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from blemish.data.samples import Sample, read_samples
from blemish.diagnosis import checks
from blemish.diagnosis.finding import Finding, Seen
from blemish.errors import DataError, ImageError
from blemish.images.duplicates import Groups, near_duplicates
from blemish.images.files import find_images
from blemish.images.glance import read_glance
from blemish.images.rules import USUAL, Rules
from blemish.system.address import Address, Place, place_of
from blemish.system.cells import is_formula, quoted
from blemish.system.outputs import begins
from blemish.system.progress import Shown, shown
from blemish.system.stream import available_threads, stream
from blemish.system.whole_file import write_whole

__all__ = ["CSV_OF_GROUPS", "Examination", "examine_data"]

_COLUMNS = ("path", "label", "split", "mask", "group")
CSV_OF_GROUPS = begins("a CSV of groups", "\ufeff" + ",".join(_COLUMNS))
"""What a command may write proposed groups over."""


@dataclass(frozen=True, repr=False)
class Examination:
    """What the doctor saw in a data set."""

    data: str
    images: int
    good_to_fit: int
    """Good images of the training split."""
    parts: int
    """The parts those show, as the proposed groups have it."""
    sizes: dict[str, int]
    """How many images have each size, the commonest first."""
    findings: list[Finding]
    samples: list[Sample]
    """Every image that could be read, in the group proposed for it."""

    def __repr__(self) -> str:
        count = len(self.findings)
        found = f"{count or 'no'} finding{'' if count == 1 else 's'}"
        return f"Examination({self.data}, {self.images:,} images, about {self.parts:,} parts, {found})"

    @property
    def must_mend(self) -> bool:
        """Whether something would stop a fit or make a measurement wrong."""
        return any(finding.mend for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "data": self.data,
            "images": self.images,
            "good_to_fit": self.good_to_fit,
            "parts": self.parts,
            "sizes": self.sizes,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def write_groups(self, path: Path) -> None:
        """Write the proposed groups to `path`, as the CSV that `blemish fit` and `blemish evaluate` take.

        Raises DataError where it cannot be written.
        """
        folder = path.resolve().parent
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow(_COLUMNS)
        for sample in self.samples:
            mask = _relative(sample.mask, folder) if sample.mask else ""
            place, defect = _relative(sample.path, folder), quoted(sample.defect)
            rows.writerow([place, defect, sample.split, mask, quoted(sample.group)])
        try:
            write_whole(path, table.getvalue().encode("utf-8-sig"))
        except UnicodeEncodeError as error:
            raise DataError(
                f"A file name is not Unicode ({error.object[error.start - 20 : error.end]!r}); rename it."
            ) from None
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}; choose another place.") from None


def examine_data(
    source: str | os.PathLike[str], *, rules: Rules = USUAL, recursive: bool = False, progress: Shown = None
) -> Examination:
    """Look at every image of a data set, once, and say what to do.

    `source` is a folder of good images, or a data set as `images.samples.read_samples` takes it (MVTec AD layout,
    good/ and defective/, a CSV); `rules` say how images are read, and `recursive` whether a plain folder
    stands for all below it, too. Holds 16 KB an image. Raises DataError where there is no data set to look at.
    """
    samples, passed_over = _samples(place_of(source), recursive=recursive)
    glances = []
    with shown(progress) as report:
        for glance in stream(
            partial(read_glance, rules=rules), [sample.path for sample in samples], threads=available_threads()
        ):
            glances.append(glance)
            report("look", len(glances), len(samples))
    seen = [
        Seen(sample, glance)
        for sample, glance in zip(samples, glances, strict=True)
        if not isinstance(glance, ImageError)
    ]
    unreadable = [glance for glance in glances if isinstance(glance, ImageError)]
    groups = _proposed(seen)
    name_of = _group_names(seen, groups)
    to_fit = [name for name, each in zip(name_of, seen, strict=True) if each.to_fit]
    fits = any(sample.split == "train" for sample in samples)
    findings = [
        *(checks.too_few(len(set(to_fit))) if fits else []),
        *checks.unreadable(unreadable),
        *checks.left_out(place_of(source)),
        *checks.passed_over(passed_over),
        *checks.black_and_white(seen),
        *checks.pixel_types(seen),
        *checks.sizes(seen),
        *checks.copies(seen),
        *checks.same_part(seen, groups),
        *checks.leaks(seen, groups),
        *checks.blurred(seen),
        *checks.exposures(seen),
    ]
    return Examination(
        data=str(source),
        images=len(samples),
        good_to_fit=len(to_fit),
        parts=len(set(to_fit)),
        sizes=checks.count_sizes(seen),
        findings=findings,
        samples=[each.in_group(name) for each, name in zip(seen, name_of, strict=True)],
    )


def _samples(source: Place, *, recursive: bool) -> tuple[list[Sample], Counter[str]]:
    """The images of a data set, those of a plain folder taken for good ones to fit on; and what that has besides."""
    if source.is_file() or any((source / name).is_dir() for name in ("test", "defective")):
        return read_samples(source), Counter()
    found = find_images(source, recursive=recursive)
    return [Sample(path, 0, "good", None, str(path), "train") for path in found.images], found.left_out


def _proposed(seen: Sequence[Seen]) -> Groups:
    """The groups the data set states, joined where images are copies or show the same part."""
    groups = Groups(len(seen))
    groups.join_equal([each.sample.group for each in seen])
    groups.join_equal([each.glance.digest for each in seen])
    near_duplicates([each.glance for each in seen], groups, threads=available_threads())
    return groups


def _group_names(seen: Sequence[Seen], groups: Groups) -> list[str]:
    """The name of each image's group: one the data set states where there is one, else that of its first image."""
    names = [""] * len(seen)
    for members in groups.all():
        stated = [seen[member].sample.group for member in members if seen[member].has_stated_group]
        for member in members:
            names[member] = stated[0] if stated else seen[members[0]].sample.path.stem
    return _told_apart(names, groups)


def _told_apart(names: list[str], groups: Groups) -> list[str]:
    """Number the groups whose names are alike though they are not."""
    used: dict[str, int] = {}
    for members in groups.all():
        name = names[members[0]]
        used[name] = used.get(name, 0) + 1
        if used[name] > 1:
            for member in members:
                names[member] = f"{name} ({used[name]})"
    return names


def _relative(path: Place, folder: Path) -> str:
    """A path as seen from a folder, with slashes, no formula; whole where they lie on different drives."""
    if isinstance(path, Address):
        return str(path)
    try:
        seen = Path(os.path.relpath(path.resolve(), folder)).as_posix()
        return f"./{seen}" if is_formula(seen) else seen
    except ValueError:
        return path.resolve().as_posix()
