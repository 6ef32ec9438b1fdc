"""What a fit chose to look at, what an image costs, and what one more step of effort would cost and bring."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from blemish.cli.console import say

if TYPE_CHECKING:
    from blemish.detector import Detector
    from blemish.system.address import Place

__all__ = ["say_effort"]

TIMES = 3
"""How often an image is inspected to tell what it costs, after a first time; the fastest counts, as others may work."""


class StepUp(NamedTuple):
    """The next effort, measured on four kinds of parts: magnetic tiles, two kinds of solar cells, a ball screw
    (benchmarks/results, detection and speed, November 2026)."""

    effort: str
    longer: float
    """How many times as long an image takes."""
    found: int
    """Of 100 defects where 5 % of good parts are NG, the mean of the sets."""
    found_before: int


STEPS = {"quick": StepUp("standard", 4.5, 80, 77), "standard": StepUp("thorough", 1.9, 81, 80)}


def say_effort(detector: "Detector", wanted: Mapping[str, Any], good: "Place | None") -> None:
    """Say which looks were chosen and what they cost; `wanted` are the options of this fit.

    It is timed on a good image, where one lies here.
    """
    from blemish.images.sizing import describes_one_look

    settings = detector.manifest.settings
    if settings.method != "patchcore":
        return
    if settings.looks:
        say(f"Looks: {', '.join(settings.looks)}.")
    if good:
        say(f"An image takes about {milliseconds(detector, good):.0f} ms on this machine, beyond reading it.")
    step, by_hand = STEPS.get(settings.effort), "looks" in wanted or "backbone" in settings.asked()
    if step and not by_hand and not describes_one_look(settings):
        say(
            f"One step up, --effort {step.effort}, takes about {step.longer:g} times as long and found {step.found} of "
            f"100 defects where {settings.effort} found {step.found_before} (four kinds of parts, 5 % of good parts "
            "NG); blemish tune tells which looks find most on your parts."
        )


def milliseconds(detector: "Detector", good: "Place") -> float:
    """What inspecting this image takes when it has been read."""
    from blemish.images.read import read_image

    pixels = read_image(good, rules=detector.viewer.rules)
    taken = []
    for _ in range(1 + TIMES):
        began = time.perf_counter()
        detector.inspect(pixels)
        taken.append(1000 * (time.perf_counter() - began))
    return min(taken[1:])
