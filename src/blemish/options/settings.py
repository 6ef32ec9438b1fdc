"""Every option of fitting, in one place: Python checks it, the CLI and the docs print it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from blemish.errors import OptionError
from blemish.options import typed
from blemish.options.presets import PRESETS, SIZES

__all__ = ["Only", "Resources", "Settings", "checked", "divide_options", "make_settings", "readers"]

Checked = TypeVar("Checked", bound=BaseModel)


class Only:
    """Marks a setting that only these methods read; given with another one, it is refused."""

    def __init__(self, *methods: str) -> None:
        self.methods = methods


PATCHCORE = Only("patchcore", "ensemble")
PATCHES = Only("patchcore", "ensemble")
"""Methods that look at patches one by one, and so can leave some out or see them tile by tile."""
TRAINED = Only("differnet", "ganomaly", "cavga")

Side = Annotated[int, Field(ge=32, le=8192)]
Areas = Annotated[list[str], BeforeValidator(typed.areas)]
PixelRange = Annotated[tuple[float, float], BeforeValidator(typed.listed)]


class Settings(BaseModel):
    """How a detector is fitted; the defaults are those of PatchCore's preset `default`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: Literal["patchcore", "ensemble", "padim", "spade", "1-nn", "differnet", "ganomaly", "cavga"] = Field(
        "patchcore", description="What is learnt of the good images."
    )
    preset: Literal["default", "paper"] = Field("default", description="default, or paper for a method as published.")
    backbone: str = Field("efficientnet_lite0", description="Network that describes patches: a name, or an .onnx file.")
    more_backbones: Annotated[list[str], Only("ensemble"), BeforeValidator(typed.listed)] = Field(
        [], description="Networks beside the backbone, each with a memory bank of its own."
    )
    taps: Annotated[list[str | int], BeforeValidator(typed.listed)] = Field(
        [], description="Stages of the network to use, by name or level (2,3); none: the network's own choice."
    )
    size: Annotated[Literal["auto", "native"] | Side | tuple[Side, Side], BeforeValidator(typed.sides)] = Field(
        "auto",
        description="Input size: one number sets the area (224: as many pixels as 224 x 224), 320x256 sets height and "
        "width, native takes the good images' own; auto is 224, or native with tiles.",
    )
    tiles: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=64, le=8192)] | None, PATCHES, BeforeValidator(typed.or_none)
    ] = Field(
        None,
        description="Side of the overlapping tiles that the network is shown a large input in, in input pixels; auto: "
        "1024; none: the input at once.",
    )
    resize: Literal["auto", "letterbox", "stretch", "crop"] = Field(
        "auto",
        description="How an image meets the input: letterbox takes the good images' median aspect and pads others "
        "(padding never scores), stretch distorts all to a square, crop looks at the centre only; auto is letterbox "
        "where the good images share an aspect, else stretch.",
    )
    include: Annotated[Areas, PATCHES] = Field(
        [],
        description="Look only there: x,y,WIDTHxHEIGHT or a polygon x,y x,y x,y in pixels of the first good image, a "
        "labelme .json or a mask image of its size; several divided by semicolons.",
    )
    ignore: Annotated[Areas, PATCHES] = Field([], description="Never look there: areas as for include.")
    align: Literal["none", "shift", "rigid"] = Field(
        "none",
        description="Bring every image to the first good one before looking: shift for parts that move, rigid for "
        "parts that turn as well.",
    )
    patch_size: Annotated[int, PATCHCORE] = Field(
        3, ge=1, le=15, description="Neighbourhood averaged into a patch, odd."
    )
    patch_stride: Annotated[int, PATCHCORE] = Field(
        1, ge=1, le=8, description="Keep every s-th patch in each direction."
    )
    merge: Annotated[Literal["concat", "adaptive"], PATCHCORE] = Field(
        "concat", description="How taps become one vector: concat, or adaptive pooling to 1024 values (the paper's)."
    )
    coreset: Annotated[float, PATCHCORE, BeforeValidator(typed.coreset), AfterValidator(typed.coreset_in_range)] = (
        Field(0.01, description="Patches kept in the memory bank: a share (0.01, 1%) or a number of rows (5000).")
    )
    radius: Annotated[float | None, PATCHCORE, BeforeValidator(typed.or_none)] = Field(
        None,
        gt=0,
        description="Stop the coreset once every good patch lies within this distance of the bank (blemish info prints "
        "what a model has reached), so that varied parts get more rows; coreset then sets the most; none: never.",
    )
    bank_type: Annotated[Literal["float32", "float16"], PATCHCORE] = Field(
        "float32",
        description="Numbers that the bank keeps: float16 halves the model file and moves each distance by no more "
        "than blemish info states.",
    )
    search: Annotated[Literal["exact", "approximate"], PATCHCORE] = Field(
        "exact",
        description="How the nearest rows are found: exactly, or by faiss in a part of the bank (extra faiss), for "
        "banks of a million rows; how often it finds the nearest is printed.",
    )
    projection: Annotated[int | None, PATCHCORE, BeforeValidator(typed.or_none)] = Field(
        None, ge=1, description="Choose the coreset in a random projection to this many dimensions; none: exactly."
    )
    image_score: Annotated[Literal["peak", "max", "reweighted", "top"], PATCHCORE] = Field(
        "peak",
        description="From patch scores to one number: the peak of the anomaly map, the largest patch score, that one "
        "re-weighted by its neighbours (the paper's), or the mean of the top patches.",
    )
    neighbours: Annotated[int, PATCHCORE] = Field(9, ge=2, description="Bank neighbours that re-weight the maximum.")
    top: Annotated[float, PATCHCORE] = Field(
        0.01, gt=0, le=1, description="Share of patches averaged when image_score is top."
    )
    tile_banks: Annotated[Literal["one", "each"], PATCHCORE] = Field(
        "one",
        description="One memory bank for all tiles, or each tile position its own, sharing the coreset; for parts that "
        "always lie alike.",
    )
    removable: Annotated[bool, Only("patchcore")] = Field(
        True, description="Keep what lets a training image be taken out again: at most as many patches as the bank has."
    )
    schedule: Annotated[Literal["short", "published"], TRAINED] = Field(
        "short", description="How long and how large a network is trained: minutes on a processor, or as published."
    )
    epochs: Annotated[int | None, TRAINED, BeforeValidator(typed.or_none)] = Field(
        None, ge=1, description="Passes over the good images; none: as the schedule has it."
    )
    encoder: Annotated[Path | None, Only("cavga"), BeforeValidator(typed.or_none)] = Field(
        None, description="Weights of ResNet-18 (.safetensors or .pth) that the encoder starts from; none: at random."
    )
    dimensions: Annotated[int | None, Only("padim"), BeforeValidator(typed.or_none)] = Field(
        100, ge=1, description="Random dimensions of a patch that are looked at, at most; none: all."
    )
    nearest_images: Annotated[int, Only("spade")] = Field(
        50, ge=1, description="Good images nearest to an image that it is compared with, at most."
    )
    sigma: Annotated[float, Only("patchcore", "ensemble", "padim", "spade", "differnet", "ganomaly", "cavga")] = Field(
        4.0, ge=0, le=100, description="Blur of the anomaly map, in input pixels."
    )
    false_rejects: float = Field(0.01, gt=0, lt=1, description="Share of good parts that may be NG.")
    confidence: float = Field(0.95, gt=0, lt=1, description="How sure to be that no more are.")
    review: float = Field(
        0.0, ge=0, lt=1, description="Share of good parts that may be REVIEW: what people can look at; 0: no such band."
    )
    calibration: Literal["auto", "split", "cross"] = Field(
        "auto",
        description="Good parts that set the threshold: split keeps some from the memory, which allows a promise; "
        "cross scores each by a memory without its fold, which gives an estimate; auto splits where the parts held "
        "out are enough for the promise.",
    )
    held_out: float = Field(
        0.3, gt=0, le=1_000_000, description="Good parts a split keeps from the memory: a share below 1, or a number."
    )
    folds: int = Field(5, ge=2, description="Parts the good images are held out in, one after the other (cross).")
    pixel_range: Annotated[PixelRange | None, BeforeValidator(typed.or_none)] = Field(
        None, description="Darkest and brightest value of 16-bit or float images; none: from the good images."
    )
    seed: int = Field(0, ge=0, description="Draws the folds and the first row of the coreset.")

    @model_serializer(mode="wrap")
    def _what_is_read(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the settings that the method does not read."""
        return {name: value for name, value in dump(self).items() if self.method in readers(name)}


class Resources(BaseModel):
    """What fitting may use of this machine; none of it changes what is fitted, but for the last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(
        "cpu", description="Hardware that runs the network: cpu, cuda, tensorrt, openvino, openvino-bf16, ..."
    )
    threads: Annotated[int | None, BeforeValidator(typed.or_none)] = Field(
        None, ge=1, description="Processors to use; none: all that are available."
    )
    memory: Annotated[ByteSize | None, BeforeValidator(typed.or_none)] = Field(
        None, description="Memory for the good images' patches, such as 2GB; beyond it they wait in a file."
    )
    spill_folder: Annotated[Path | None, BeforeValidator(typed.or_none)] = Field(
        None, description="Folder of that file; none: the system's temporary one."
    )
    checkpoint: Annotated[Path | None, BeforeValidator(typed.or_none)] = Field(
        None,
        description="File that keeps a training after each epoch: fitting again with it goes on from there; "
        "none: for blemish fit, beside the model file.",
    )
    spill_type: Literal["float32", "float16"] = Field(
        "float32", description="Numbers in that file: float32 changes nothing, float16 takes half the disk."
    )


def readers(setting: str) -> tuple[str, ...]:
    """The methods that read a setting."""
    only = [mark for mark in Settings.model_fields[setting].metadata if isinstance(mark, Only)]
    return only[0].methods if only else tuple(PRESETS)


def make_settings(**options: Any) -> Settings:
    """Settings from a method's preset and the options that differ from it; raises OptionError naming the option."""
    method, preset = (str(options.get(name, Settings.model_fields[name].default)) for name in ("method", "preset"))
    wanted = PRESETS.get(method, {}).get(preset, {}) | options
    schedule = str(wanted.get("schedule", "short"))
    settings = checked(Settings, {"size": SIZES[method][schedule]} | wanted if method in SIZES else wanted)
    if preset not in PRESETS[method]:
        raise OptionError(f"Option preset={preset} cannot be used with the method {method}: it has no such preset.")
    for name in options:
        if method not in readers(name):
            read_by = ", ".join(readers(name))
            raise OptionError(f"Option {name} cannot be used with the method {method}: it is read by {read_by} only.")
    if settings.patch_size % 2 == 0:
        raise OptionError(f"Option patch_size={settings.patch_size} must be odd, so that a patch has a centre.")
    if settings.tile_banks == "each" and (settings.tiles is None or settings.image_score == "reweighted"):
        raise OptionError("Option tile_banks=each needs tiles, and an image_score other than reweighted.")
    if settings.tile_banks == "each" and (settings.radius is not None or settings.search != "exact"):
        raise OptionError("Option tile_banks=each cannot be combined with radius or with approximate search.")
    if settings.pixel_range and settings.pixel_range[0] >= settings.pixel_range[1]:
        raise OptionError(f"Option pixel_range={settings.pixel_range} must rise: darkest value first.")
    return settings


def divide_options(options: Mapping[str, Any]) -> tuple[Settings, Resources]:
    """Sort what was given to `fit` into settings and resources; raises OptionError naming the option."""
    resources = {name: value for name, value in options.items() if name in Resources.model_fields}
    settings = {name: value for name, value in options.items() if name not in resources}
    return make_settings(**settings), checked(Resources, resources)


def checked(kind: type[Checked], options: dict[str, Any]) -> Checked:
    """What was given, as `kind`; raises OptionError naming the option that is wrong."""
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        raise OptionError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "?"
    if first["type"] == "extra_forbidden":
        known = ", ".join([*Settings.model_fields, *Resources.model_fields])
        return f'There is no option "{name}"; the options are {known}.'
    return f"Option {name}={first['input']!r} cannot be used: {first['msg'][0].lower()}{first['msg'][1:]}."
