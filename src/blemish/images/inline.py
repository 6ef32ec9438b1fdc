"""Small pictures inside a model's manifest: PNG, as base64 text."""

import base64
import io

import numpy as np
from PIL import Image

from blemish.arrays import Array

__all__ = ["picture_from_text", "picture_to_text"]


def picture_to_text(picture: Array) -> str:
    """A mask (bool) or a grey picture (uint8), H x W, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def picture_from_text(text: str) -> Array:
    """The picture again; raises ValueError where the text is none."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=["PNG"]) as image:
            return np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise ValueError("not a PNG in base64") from None
