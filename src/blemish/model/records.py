"""Records of single images, which a model file keeps as tensors: one JSON object a line, in UTF-8.

Some 300 bytes an image would fill the header of a safetensors file, which its readers bound, with 300,000 images.
"""

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from blemish.arrays import Array, Bytes
from blemish.images.training_image import TrainingImage
from blemish.model.manifest import ModelManifest

__all__ = ["IMAGES", "WITHOUT_RECORDS", "is_record", "journal_images", "read_records", "record_tensors", "with_records"]

IMAGES = "images.jsonl"
"""The tensor of all good images."""
LONGEST_LINE = 100_000
"""Bytes; paths have at most a few thousand."""
WITHOUT_RECORDS: Any = {"images": True, "journal": {"__all__": {"images"}}}
"""What of the manifest is written as tensors instead."""


def journal_images(number: int) -> str:
    """The tensor of the images that change `number` of the journal names."""
    return f"journal.{number}.images"


def is_record(name: str) -> bool:
    """Whether a tensor of this name holds records of images."""
    return name == IMAGES or (name.startswith("journal.") and name.endswith(".images"))


def record_tensors(manifest: ModelManifest) -> dict[str, Array]:
    """The images of the model, and those of each change that names some."""
    changes = {journal_images(number): change.images for number, change in enumerate(manifest.journal)}
    lists = {IMAGES: manifest.images} | {name: images for name, images in changes.items() if images}
    return {name: _lines(images) for name, images in lists.items()}


def with_records(fields: Mapping[str, Any], tensors: Mapping[str, Array]) -> dict[str, Any]:
    """The manifest's fields as a file holds them, with the images from its tensors.

    Raises ValueError, naming the field or the tensor, where a record is damaged or stands in the manifest itself.
    """
    journal = fields.get("journal", [])
    entries = journal if isinstance(journal, list) and all(isinstance(change, dict) for change in journal) else []
    if "images" in fields or any("images" in change for change in entries):
        raise ValueError("field images of its manifest must be a tensor instead")
    changes = [
        {**change, "images": read_records(journal_images(number), tensors)} for number, change in enumerate(entries)
    ]
    return {**fields, "images": read_records(IMAGES, tensors), "journal": changes if entries else journal}


def read_records(name: str, tensors: Mapping[str, Array]) -> list[TrainingImage]:
    """The images that a tensor holds; none where it is absent. Raises ValueError for a line that is none."""
    if name not in tensors:
        return []
    return [_image(name, number, line) for number, line in enumerate(io.BytesIO(tensors[name].tobytes()))]


def _lines(images: Iterable[TrainingImage]) -> Bytes:
    lines = (image.model_dump_json() + "\n" for image in images)
    return np.frombuffer("".join(lines).encode(), np.uint8)


def _image(name: str, number: int, line: bytes) -> TrainingImage:
    if len(line) > LONGEST_LINE:
        raise ValueError(f"line {number + 1} of tensor {name} has {len(line):,} bytes")
    try:
        return TrainingImage.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "the record"
        raise ValueError(f"line {number + 1} of tensor {name}: {field}: {first['msg']}") from None
