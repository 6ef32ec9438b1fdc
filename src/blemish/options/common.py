"""The options that every method reads, and what fitting may use of the machine."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from blemish.options.takes import Panel
from blemish.options.typed import Bytes, InputSize, NoData, OptionalPath, PixelRange, Taps, Whole

__all__ = ["CommonSettings", "Resources"]


class CommonSettings(BaseModel):
    """What every method reads: network, input, threshold, seed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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


class Resources(BaseModel):
    """What fitting may use of this machine and read of its files; it is not part of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Annotated[str, Panel.MACHINE] = Field(
        "cpu", description="Hardware that runs the network: cpu, cuda, tensorrt, openvino, openvino-bf16, ..."
    )
    threads: Annotated[Whole, Panel.MACHINE] = Field(
        None, ge=1, description="Processors to use; none: all that are available."
    )
    memory: Annotated[Bytes, Panel.MACHINE] = Field(
        None,
        description="Memory for the patches of the good images, such as 2GB; the rest goes to a temporary file.",
    )
    spill_folder: Annotated[OptionalPath, Panel.MACHINE] = Field(
        None, description="Folder of the temporary file of --memory; none: that of the system."
    )
    checkpoint: Annotated[OptionalPath, Panel.MACHINE] = Field(
        None,
        description="File that keeps a training after each epoch: fitting again with it goes on from there; "
        "none: for blemish fit, beside the model file.",
    )
    spill_type: Annotated[Literal["float32", "float16"], Panel.MACHINE] = Field(
        "float32",
        description="Numbers in the temporary file of --memory: float32 changes nothing, float16 takes half the disk.",
    )
    accept_damaged: Annotated[bool, Panel.DATA] = Field(
        False, description="Read files that are damaged, as far as they can be, instead of refusing them."
    )
    max_pixels: Annotated[Whole, Panel.DATA] = Field(
        None,
        ge=1,
        description="Pixels of the largest image that is read; none: 179 million, and for an inspected one 16 times "
        "the largest good image.",
    )
