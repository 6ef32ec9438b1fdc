"""What a method keeps: the tensors it names, and the way back from them, bit for bit."""

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from parts import good_part

from blemish.detector import Detector
from blemish.fitting import fit
from blemish.images.transform import pixels_digest
from blemish.methods.registry import find_method

METHODS = ["padim", "spade", "1-nn"]


@pytest.fixture(scope="module", params=METHODS)
def detector(request: pytest.FixtureRequest) -> Detector:
    options: Any = {"method": request.param, "size": 64, "threads": 2}
    return fit([good_part(seed) for seed in range(5)], **options)


def test_a_method_comes_back_from_its_tensors(detector: Detector) -> None:
    manifest, tensors = detector.manifest, detector.model.method.tensors()
    again = find_method(manifest.method).restore(tensors, manifest.settings, manifest.transform)
    for name, tensor in again.tensors().items():
        assert tensor.dtype == tensors[name].dtype
        np.testing.assert_array_equal(tensor, tensors[name])


def test_it_keeps_the_tensors_it_names(detector: Detector) -> None:
    kinds = find_method(detector.manifest.method).tensor_kinds(detector.manifest.settings)
    tensors = detector.model.method.tensors()
    assert list(kinds) == list(tensors)
    lengths: dict[str, int] = {}
    for name, (dtype, axes) in kinds.items():
        assert tensors[name].dtype == dtype
        assert all(lengths.setdefault(axis, n) == n for axis, n in zip(axes, tensors[name].shape, strict=True))


def test_it_never_changes(detector: Detector) -> None:
    with pytest.raises(FrozenInstanceError):
        detector.model.method.image_K = np.zeros(5)  # type: ignore[attr-defined]


def test_every_good_image_is_known_by_its_pixels(detector: Detector) -> None:
    manifest = detector.manifest
    digests = [pixels_digest(manifest.viewer(np.dstack([good_part(seed)] * 3), "part")[0]) for seed in range(5)]
    assert [image.pixels for image in manifest.images] == digests
