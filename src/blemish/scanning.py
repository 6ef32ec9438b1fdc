"""Which of the images that are meant to be good look defective: looked for before they become the memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from blemish.calibration.suspects import CUTOFF, suspect_places
from blemish.detector import Detector
from blemish.errors import OptionError
from blemish.fitting import fit
from blemish.images.sources import Images, list_sources
from blemish.options.given import FitOptions
from blemish.result import Result
from blemish.system.progress import Shown

__all__ = ["Scan", "scan"]


@dataclass(frozen=True, repr=False)
class Scan:
    """The images that look defective, the most so first, inspected by a memory of all others."""

    suspects: list[Result]
    """Their results, the most suspicious first."""
    suspicion: list[float]
    """How far out in the tail of all each one lies, in scales of the tail: by its score, or by how many rows of the
    memory it gave."""
    detector: Detector
    """Fitted on all images that are not suspects."""

    def __repr__(self) -> str:
        count, good = len(self.suspects), self.detector.manifest.in_memory
        return f"Scan({count or 'no'} suspect{'' if count == 1 else 's'} beside {good:,} good images)"


def scan(
    images: Images,
    *,
    groups: Sequence[str] | None = None,
    recursive: bool = False,
    cutoff: float = CUTOFF,
    progress: Shown = None,
    **options: Unpack[FitOptions],
) -> Scan:
    """Score each image by a memory without its fold, as cross-fitting does, and name those that stand out.

    A defect that several images show is known to the memory of each of them and may hide, unless it gave the memory
    many rows: look at what stands out, take it away, and scan again.

    Args:
        images: Images that are meant to be good, as `fit` takes them.
        groups: The part that each image shows, as for `fit`.
        recursive: Read the folders inside folders, too.
        cutoff: Images of more suspicion are suspects; of good images, 1.5 % are at 3, 0.5 % at 4, where their scores
            fall off exponentially.
        progress: As for `fit`.
        **options: Those of `fit`, for the method patchcore.

    Returns:
        The suspects, and a detector fitted on all others.

    Raises:
        OptionError: Another method than patchcore; and as `fit` raises it, like all other errors.
    """
    if (method := options.get("method", "patchcore")) != "patchcore":
        raise OptionError(
            f"A scan needs the method patchcore; with {method} one image cannot be left out of the memory. "
            f"Leave method out."
        )
    sources = list_sources(images, recursive=recursive)
    options["calibration"] = "cross"
    detector = fit(sources, groups=groups, progress=progress, **options)
    suspicion_M = detector.model.held_out.suspicion_M
    found = suspect_places(suspicion_M, cutoff=cutoff)
    if len(found):
        detector = detector.remove([int(number) for number in np.sort(found)])
    suspects = [sources[int(number)] for number in found]
    results = list(detector.inspect_many(suspects)) if suspects else []
    return Scan(results, suspicion_M[found].tolist(), detector)
