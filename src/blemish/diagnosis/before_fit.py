"""What the doctor can say of good images that a fit has looked at anyway."""

from collections.abc import Sequence

from blemish.data.samples import Sample
from blemish.diagnosis import checks
from blemish.diagnosis.finding import Seen
from blemish.images.glance import Glance
from blemish.system.address import place_of

__all__ = ["noticed"]


def noticed(glances: Sequence[Glance], parts: Sequence[str], named: Sequence[str]) -> list[str]:
    """A sentence for each thing found; `parts` as they are counted, `named` as they came."""
    seen = [
        Seen(Sample(place_of(glance.name), 0, "good", None, part, "train"), glance)
        for glance, part in zip(glances, parts, strict=True)
    ]
    findings = [
        *checks.black_and_white(seen),
        *checks.pixel_types(seen),
        *checks.copies(seen),
        *checks.blurred(seen),
        *checks.exposures(seen),
    ]
    return [*_joined(glances, parts, named), *(f"{finding.name}: {finding.sentence}" for finding in findings)]


def _joined(glances: Sequence[Glance], parts: Sequence[str], named: Sequence[str]) -> list[str]:
    """What was counted as one part though it came as several."""
    if len(set(parts)) == len(set(named)):
        return []
    return [
        f"same part: {len(glances)} images count as {len(set(parts))} parts, since some show a part that another "
        f"shows too (copies, or pictures of one part; blemish doctor lists them). Give groups where that is wrong."
    ]
