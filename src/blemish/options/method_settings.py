"""The options that every method reads."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from blemish.options.takes import Panel
from blemish.options.typed import InputSize, NoData, PixelRange, Taps, Whole

__all__ = ["MethodSettings", "Presets", "Sizes"]

Presets = Mapping[str, Mapping[str, Any]]
"""What each preset sets that differs from the defaults."""
Sizes = Mapping[str, int]
"""The input size that belongs to each schedule of a method that trains."""


class MethodSettings(BaseModel):
    """What every method reads: network, input, threshold, seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    PRESETS: ClassVar[Presets] = {"default": {}}
    SIZE_OF_SCHEDULE: ClassVar[Sizes] = {}

    method: Annotated[str, Panel.FIRST] = Field("patchcore", description="Method that learns from the good images.")
    preset: Annotated[Literal["default", "paper"], Panel.FIRST] = Field(
        "default", description="Set of defaults: default, or paper for the method as published."
    )
    backbone: Annotated[str, Panel.LOOK] = Field(
        "efficientnet_lite0", description="Network that describes patches: a name, or an .onnx file."
    )
    taps: Annotated[Taps, Panel.LOOK] = Field(
        (), description="Stages of the network to use, by name or level (2,3); none: the network's own choice."
    )
    size: Annotated[InputSize, Panel.FIRST] = Field(
        "auto",
        description="Input size: one number sets the area (224: as many pixels as 224 x 224), 320x256 sets height and "
        "width, native takes the good images' own; auto is 224, or native with tiles.",
    )
    resize: Annotated[Literal["auto", "letterbox", "stretch", "crop"], Panel.LOOK] = Field(
        "auto",
        description="How an image is brought to the input size: letterbox takes the good images' median aspect and "
        "pads others (padding never scores), stretch distorts all to a square, crop looks at the centre only; auto is "
        "letterbox where the good images share an aspect, else stretch.",
    )
    align: Annotated[Literal["none", "shift", "rigid"], Panel.DATA] = Field(
        "none",
        description="Align every image with the first good one: shift for parts that move, rigid for parts that turn "
        "as well.",
    )
    false_rejects: Annotated[float, Panel.FIRST] = Field(
        0.01, gt=0, lt=1, description="Share of good parts that may be NG."
    )
    confidence: Annotated[float, Panel.THRESHOLD] = Field(
        0.95, gt=0, lt=1, description="Confidence that no more good parts are NG."
    )
    review: Annotated[float, Panel.THRESHOLD] = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of good parts that may be REVIEW, for people to check; 0: no REVIEW.",
    )
    calibration: Annotated[Literal["auto", "split", "cross"], Panel.THRESHOLD] = Field(
        "auto",
        description="Good parts that set the threshold: split keeps some from the memory bank, which allows a promise; "
        "cross scores each by a memory bank without its fold, which gives an estimate; auto is split where the parts "
        "held out are enough for the promise, else cross.",
    )
    held_out: Annotated[float, Panel.THRESHOLD] = Field(
        0.3,
        gt=0,
        le=1_000_000,
        description="Good parts that split keeps from the memory bank: a share below 1, or a number.",
    )
    folds: Annotated[Whole, Panel.THRESHOLD] = Field(
        None,
        ge=2,
        description="Number of folds in which cross holds the good images out, one after the other; none: 20 for "
        "patchcore, which only leaves rows out, 5 for others.",
    )
    pixel_range: Annotated[PixelRange, Panel.DATA] = Field(
        None, description="Darkest and brightest value of 16-bit or float images; none: from the good images."
    )
    nodata: Annotated[NoData, Panel.DATA] = Field(
        "auto",
        description="Value of float pixels that were not measured, which are not looked at; auto: what the file says, "
        "or a value repeated far from all others.",
    )
    seed: Annotated[int, Panel.MACHINE] = Field(
        0, ge=0, description="Seed of the random draws: the folds, and the first row of the coreset."
    )
