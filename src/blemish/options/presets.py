"""What each preset of each method sets that differs from the defaults of `Settings`."""

from typing import Any

__all__ = ["PRESETS", "SIZES"]

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "patchcore": {
        "default": {},
        "paper": {
            "taps": [2, 3],
            "size": 224,
            "resize": "crop",
            "merge": "adaptive",
            "coreset": 0.1,
            "projection": 128,
            "image_score": "reweighted",
        },
    },
    "ensemble": {"default": {}},
    "padim": {
        "default": {"taps": [1, 2, 3]},
        "paper": {"taps": [1, 2, 3], "resize": "crop"},
    },
    "spade": {
        "default": {"taps": [1, 2, 3]},
        "paper": {"taps": [1, 2, 3], "resize": "crop"},
    },
    "1-nn": {"default": {}},
    "differnet": {"default": {}, "paper": {"schedule": "published"}},
    "ganomaly": {"default": {}, "paper": {"schedule": "published"}},
    "cavga": {"default": {}, "paper": {"schedule": "published"}},
}
SIZES: dict[str, dict[str, int]] = {
    "differnet": {"short": 224, "published": 448},
    "ganomaly": {"short": 32, "published": 32},
    "cavga": {"short": 96, "published": 256},
}
"""The input size that belongs to each schedule of a trained method."""
