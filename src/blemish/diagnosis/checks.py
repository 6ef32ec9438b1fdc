"""What the doctor looks for in a data set; each finding says what to do.

Outliers are told by robust statistics of the set itself, so that no limit depends on the product.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from blemish.arrays import Doubles
from blemish.diagnosis.finding import Finding, Seen
from blemish.errors import ImageError
from blemish.images.duplicates import Groups
from blemish.images.files import Found, is_image
from blemish.images.sizing import SHARED_ASPECT
from blemish.system.address import Place

__all__ = [
    "black_and_white",
    "blurred",
    "copies",
    "count_sizes",
    "exposures",
    "leaks",
    "left_out",
    "passed_over",
    "pixel_types",
    "same_part",
    "sizes",
    "too_few",
    "unreadable",
]

BLURRED = 4.0
"""An image is an outlier in sharpness from this many robust standard deviations below the median."""
EXPOSED, STOPS = 5.0, 0.5
"""An outlier in brightness is this many robust standard deviations, and at least this many stops, from the median."""
CLIPPED = 0.05
"""Likewise the share of clipped pixels where it is larger than the median's by this much."""
MASK = 0.99
"""An image with more clipped pixels than this is no photograph."""
LEAST_DEVIATION = 0.1
"""No deviation is taken for smaller than this (octaves, stops), so that a steady camera's images are no outliers."""
FEWEST = 10
"""With fewer images nothing is an outlier."""


def too_few(parts: int) -> list[Finding]:
    """Good parts that no threshold can be set with."""
    if parts >= 2:
        return []
    sentence = f"{parts} good part(s) to fit on; a threshold needs at least 2, and 20 or more to be trusted: add some."
    return [Finding("too few", True, sentence, [])]


def unreadable(errors: Sequence[ImageError]) -> list[Finding]:
    """Images that cannot be decoded wholly."""
    if not errors:
        return []
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    sentence = f"{_images(len(errors))} cannot be read: {errors[0]}{more} Copy them anew, or take them out."
    return [Finding("unreadable", True, sentence, [[str(error)] for error in errors])]


def left_out(source: Place) -> list[Finding]:
    """What else lies in a folder of images, and would be passed over in silence."""
    if not source.is_dir():
        return []
    others = sorted(str(path) for path in source.iterdir() if path.is_file() and not is_image(path))
    if not others:
        return []
    sentence = (
        f"{len(others)} file(s) beside the images do not end like an image and are passed over, such as "
        f"{Path(others[0]).name}; convert what is an image, and leave the rest."
    )
    return [Finding("left out", False, sentence, [[name] for name in others])]


def passed_over(kinds: Counter[str]) -> list[Finding]:
    """What else a folder has that is not read: sub-folders, masks beside their images, links that lead nowhere."""
    others = Counter({kind: count for kind, count in kinds.items() if not kind.startswith("files ")})
    return [Finding("left out", False, str(Found([], others)), [])] if others else []


def pixel_types(seen: Sequence[Seen]) -> list[Finding]:
    """Images of several pixel types, which fit refuses; colour among grey, which it accepts."""
    types = _by(seen, [each.glance.pixels for each in seen])
    if len(types) > 1:
        counts = ", ".join(f"{len(paths)} of {kind}" for kind, paths in types.items())
        sentence = f"Pixels are of several types ({counts}), which cannot be fitted together; convert them to one."
        return [Finding("pixel types", True, sentence, _all_but_most(types))]
    kinds = _by(seen, ["colour" if each.glance.coloured else "grey" for each in seen])
    if len(kinds) < 2:
        return []
    sentence = (
        f"{len(kinds['colour'])} images are in colour and {len(kinds['grey'])} in grey, which a model takes for a "
        "difference of the parts; use one camera setting for all."
    )
    return [Finding("colour and grey", False, sentence, _all_but_most(kinds))]


def black_and_white(seen: Sequence[Seen]) -> list[Finding]:
    """Images of nothing but the darkest and the brightest value: masks that lie among the images."""
    found = [each.path for each in seen if each.glance.clipped > MASK]
    if not found:
        return []
    sentence = (
        f"{_images(len(found))} {_is(len(found))} black and white only, as masks are, such as {found[0]}; take them out"
        ", or they will be learnt as good parts."
    )
    return [Finding("masks", True, sentence, [[path] for path in found])]


def sizes(seen: Sequence[Seen]) -> list[Finding]:
    """Sizes that differ; what that means depends on whether the aspect does."""
    counts = count_sizes(seen)
    if len(counts) < 2:
        return []
    narrow, wide = np.percentile([math.log(each.glance.width / each.glance.height) for each in seen], [10, 90])
    if wide - narrow > SHARED_ASPECT:
        advice = "their aspects differ too, so a fit will stretch all to a square; crop them alike if they can be"
    else:
        advice = "they share an aspect, so a fit brings all to one size; see that the parts have one scale"
    common = next(iter(counts))
    sentence = f"Images come in {len(counts)} sizes ({common} most often, {counts[common]} of {len(seen)}): {advice}."
    if len(counts) > FEWEST:  # crops, of which none is the odd one out
        return [Finding("sizes", False, sentence, [])]
    return [Finding("sizes", False, sentence, _all_but_most(_by(seen, [_size(each) for each in seen])))]


def count_sizes(seen: Sequence[Seen]) -> dict[str, int]:
    """Images of each size (width x height), the commonest first."""
    return dict(Counter(_size(each) for each in seen).most_common())


def copies(seen: Sequence[Seen]) -> list[Finding]:
    """Images that are the same to the last pixel."""
    same = [paths for paths in _by(seen, [each.glance.digest for each in seen]).values() if len(paths) > 1]
    if not same:
        return []
    surplus = sum(map(len, same)) - len(same)
    sentence = f"{_images(surplus)} {_is(surplus)} an exact copy of another; delete all but one of each."
    return [Finding("copies", False, sentence, same)]


def same_part(seen: Sequence[Seen], groups: Groups) -> list[Finding]:
    """Near-duplicates that the data set does not state to be one part."""
    found = []
    for members in groups.all():
        if len({seen[member].glance.digest for member in members}) > 1 and _unstated(seen, members):
            found.append([seen[member].path for member in members])
    if not found:
        return []
    parts = "one part" if len(found) == 1 else f"{len(found)} parts"
    sentence = (
        f"{sum(map(len, found))} images look like {parts} shown several times (light, crop and noise apart);"
        " check the proposed groups (--groups FILE writes them as a CSV) and fit on that CSV, so that no image is "
        "judged by a memory of its own part."
    )
    return [Finding("same part", False, sentence, found)]


def leaks(seen: Sequence[Seen], groups: Groups) -> list[Finding]:
    """Pictures of one part in training and test, and one picture under two labels."""
    findings = []
    pictures = _positions([each.glance.digest for each in seen])
    twice = [members for members in pictures if len({seen[member].sample.label for member in members}) > 1]
    if twice:
        sentence = f"{len(twice)} picture(s) are there both as good and as defective; keep each under its true label."
        findings.append(Finding("two labels", True, sentence, _paths(seen, twice)))
    copied = [members for members in pictures if _in_both_splits(seen, members)]
    if copied:
        sentence = f"{len(copied)} picture(s) are in both training and test, so any result is too good; remove one."
        findings.append(Finding("leaked pictures", True, sentence, _paths(seen, copied)))
    stated = [members for members in _positions([each.sample.group for each in seen]) if _in_both_splits(seen, members)]
    if stated:
        sentence = (
            f"{len(stated)} group(s) are in both training and test, so any result is too good; move each whole group "
            "to one split."
        )
        findings.append(Finding("leaked groups", True, sentence, _paths(seen, stated)))
    known = {tuple(members) for members in (*copied, *stated)}
    alike = [members for members in groups.all() if _in_both_splits(seen, members) and tuple(members) not in known]
    if alike:
        sentence = (
            f"{len(alike)} part(s) seem to be in both training and test (near-duplicates), so results may be too good; "
            "check them, and move each whole part to one split."
        )
        findings.append(Finding("leaked parts", False, sentence, _paths(seen, alike)))
    return findings


def blurred(seen: Sequence[Seen]) -> list[Finding]:
    """Images far less sharp than the others."""
    deviations = _deviations([each.glance.sharpness for each in seen])
    found = [each for each, deviation in zip(seen, deviations, strict=True) if deviation < -BLURRED]
    if not found:
        return []
    sentence = (
        f"{_images(len(found))} {_is(len(found))} far less sharp than the rest, such as {found[0].path}; look at them, "
        "and leave out those out of focus or moved."
    )
    return [Finding("blur", False, sentence, [[each.path] for each in found])]


def exposures(seen: Sequence[Seen]) -> list[Finding]:
    """Images far darker or brighter than the others, or with far more clipped pixels."""
    if len(seen) < FEWEST:
        return []
    stops = np.array([each.glance.stops for each in seen])
    clipped = np.array([each.glance.clipped for each in seen])
    off = (np.abs(_deviations(stops)) > EXPOSED) & (np.abs(stops - np.median(stops)) > STOPS)
    off |= _deviations(clipped, CLIPPED / EXPOSED) > EXPOSED
    found = [each for each, far in zip(seen, off, strict=True) if far]
    if not found:
        return []
    sentence = (
        f"{_images(len(found))} {_is(len(found))} far darker, brighter or more clipped than the rest, such as "
        f"{found[0].path}; look at them, and leave out what no camera of the line would take."
    )
    return [Finding("exposure", False, sentence, [[each.path] for each in found])]


def _deviations(values: Sequence[float] | Doubles, least: float = LEAST_DEVIATION) -> Doubles:
    """How many robust standard deviations (1.4826 MAD) each value lies above the median; 0 for few values."""
    given = np.asarray(values, np.float64)
    if len(given) < FEWEST:
        return np.zeros(len(given))
    from_median = given - np.median(given)
    deviation = 1.4826 * float(np.median(np.abs(from_median)))
    return np.asarray(from_median / max(deviation, least))


def _by(seen: Sequence[Seen], keys: Iterable[Any]) -> dict[Any, list[str]]:
    """The paths of each key, the commonest key first."""
    found: dict[Any, list[str]] = {}
    for each, key in zip(seen, keys, strict=True):
        found.setdefault(key, []).append(each.path)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _all_but_most(paths_of: dict[Any, list[str]]) -> list[list[str]]:
    return list(paths_of.values())[1:]


def _positions(keys: Sequence[Any]) -> list[list[int]]:
    """The positions of each key that is there more than once."""
    found: dict[Any, list[int]] = {}
    for position, key in enumerate(keys):
        found.setdefault(key, []).append(position)
    return [positions for positions in found.values() if len(positions) > 1]


def _in_both_splits(seen: Sequence[Seen], members: Sequence[int]) -> bool:
    return len({seen[member].sample.split for member in members}) > 1


def _unstated(seen: Sequence[Seen], members: Sequence[int]) -> bool:
    """Whether the data set does not already say that these show one part."""
    return len({seen[member].sample.group for member in members}) > 1


def _paths(seen: Sequence[Seen], several: Iterable[Sequence[int]]) -> list[list[str]]:
    return [[seen[member].path for member in members] for members in several]


def _size(each: Seen) -> str:
    return f"{each.glance.width}x{each.glance.height}"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
