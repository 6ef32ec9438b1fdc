"""What the doctor says of training pictures."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from blemish.data.samples import Sample
from blemish.diagnosis import checks
from blemish.diagnosis.finding import Finding, Seen
from blemish.errors import ImageError
from blemish.images.glance import Glance, read_glance
from blemish.service.store.store import Store
from blemish.service.store.training import Training, list_training
from blemish.service.work.child import NICE
from blemish.system.stream import available_threads, stream

__all__ = ["examine"]


def examine(store: Store, recipe: str) -> list[dict[str, Any]]:
    """Look at every training picture of a recipe, whole; parts that are inspected meanwhile go first."""
    with ThreadPoolExecutor(1, "examine", _gently) as own:  # threads that it starts are as gentle
        return own.submit(_examined, store, recipe).result()


def _gently() -> None:
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _examined(store: Store, recipe: str) -> list[dict[str, Any]]:
    pictures = list_training(store.read, recipe)
    glances = list(stream(lambda each: _look(store, each), pictures, threads=available_threads()))
    seen = [_seen(each, glance) for each, glance in zip(pictures, glances, strict=True) if isinstance(glance, Glance)]
    unreadable = [glance for glance in glances if isinstance(glance, ImageError)]
    found = [
        *checks.too_few(len({each.sample.group for each in seen})),
        *checks.unreadable(unreadable),
        *checks.black_and_white(seen),
        *checks.pixel_types(seen),
        *checks.sizes(seen),
        *checks.copies(seen),
        *checks.blurred(seen),
        *checks.exposures(seen),
    ]
    names = {_file(each): each for each in pictures}
    return [_told(finding, names) for finding in found]


def _look(store: Store, picture: Training) -> Glance | ImageError:
    data = store.pictures.get(picture.sha256, picture.suffix)
    if data is None:
        return ImageError(f"The file of {picture.name} is missing.")
    return read_glance((_file(picture), data))


def _seen(picture: Training, glance: Glance) -> Seen:
    return Seen(Sample(Path(_file(picture)), 0, "good", None, picture.part or picture.sha256, "train"), glance)


def _told(finding: Finding, names: dict[str, Training]) -> dict[str, Any]:
    sentence = finding.sentence
    for file, picture in names.items():
        sentence = sentence.replace(file, picture.name)
    files = [
        [{"sha256": names[file].sha256, "name": names[file].name} for file in group if file in names]
        for group in finding.files
    ]
    return {"name": finding.name, "mend": finding.mend, "sentence": sentence, "pictures": files}


def _file(picture: Training) -> str:
    return f"{picture.sha256}{picture.suffix}"
