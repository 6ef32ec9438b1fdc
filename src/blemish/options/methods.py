"""The options of each method: what it reads beside those of every method, and what its presets set.

The class of a method inherits what it reads; an option that no class of a method has is refused for that method. They
stand here, below the rooms that read them, and not beside the methods, so that help and completion load no arithmetic.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from blemish.options.method_settings import MethodSettings, Presets, Sizes
from blemish.options.takes import Panel
from blemish.options.typed import Areas, CoresetSize, Distance, Looks, OptionalPath, TileSide, Whole

__all__ = ["OPTIONS_OF", "readers"]


class MapSettings(MethodSettings):
    """Of methods that answer with a map."""

    sigma: Annotated[float, Panel.SCORE] = Field(
        4.0, ge=0, le=100, description="Blur of the anomaly map, in input pixels."
    )


class BankSettings(MapSettings):
    """Of methods that keep patches in a memory bank, and so can leave some out or see them tile by tile."""

    tiles: Annotated[TileSide, Panel.LOOK] = Field(
        None,
        description="Side of the overlapping tiles that the network is shown a large input in, in input pixels; auto: "
        "1024; none: the input at once.",
    )
    include: Annotated[Areas, Panel.DATA] = Field(
        (),
        description="Inspect only this area: x,y,WIDTHxHEIGHT or a polygon x,y x,y x,y in pixels of the first good "
        "image, a labelme .json or a mask image of its size; several are divided by semicolons.",
    )
    ignore: Annotated[Areas, Panel.DATA] = Field((), description="Never inspect this area; given as for include.")
    patch_size: Annotated[int, Panel.LOOK] = Field(
        3, ge=1, le=15, description="Side of the neighbourhood averaged into a patch: an odd number of grid positions."
    )
    patch_stride: Annotated[int, Panel.LOOK] = Field(
        1, ge=1, le=8, description="Keep every n-th patch in each direction."
    )
    merge: Annotated[Literal["concat", "adaptive"], Panel.LOOK] = Field(
        "concat", description="How taps become one vector: concat, or adaptive pooling to 1024 values (the paper's)."
    )
    coreset: Annotated[CoresetSize, Panel.MEMORY] = Field(
        0.01, description="Patches kept in the memory bank: a share (0.01, 1%) or a number of rows (5000)."
    )
    radius: Annotated[Distance, Panel.MEMORY] = Field(
        None,
        gt=0,
        description="Stop the coreset once every good patch lies within this distance of the bank (blemish info prints "
        "what a model has reached), so that varied parts get more rows; coreset then sets the most; none: never.",
    )
    bank_type: Annotated[Literal["float32", "float16"], Panel.MEMORY] = Field(
        "float32",
        description="Number type of the memory bank: float16 halves the model file and moves each distance by no more "
        "than blemish info states.",
    )
    search: Annotated[Literal["exact", "approximate"], Panel.MEMORY] = Field(
        "exact",
        description="How the nearest rows are found: exactly, or by faiss in a part of the bank (extra faiss), for "
        "banks of a million rows; how often it finds the nearest is printed.",
    )
    projection: Annotated[Whole, Panel.MEMORY] = Field(
        None,
        ge=1,
        description="Choose the coreset in a random projection to this many dimensions; none: in all of them.",
    )
    image_score: Annotated[Literal["peak", "max", "reweighted", "top"], Panel.SCORE] = Field(
        "peak",
        description="From patch scores to one number: the peak of the anomaly map, the largest patch score, that one "
        "re-weighted by its neighbours (the paper's), or the mean of the top patches.",
    )
    neighbours: Annotated[int, Panel.SCORE] = Field(9, ge=2, description="Bank neighbours that re-weight the maximum.")
    top: Annotated[float, Panel.SCORE] = Field(
        0.01, gt=0, le=1, description="Share of patches averaged when image_score is top."
    )
    tile_banks: Annotated[Literal["one", "each"], Panel.MEMORY] = Field(
        "one",
        description="One memory bank for all tiles, or each tile position its own, sharing the coreset; for parts that "
        "always lie alike.",
    )


class PatchCoreSettings(BankSettings):
    """PatchCore."""

    PRESETS: ClassVar[Presets] = {
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
    }

    effort: Annotated[Literal["quick", "standard", "thorough"], Panel.FIRST] = Field(
        "standard",
        description="What an image may cost: quick takes one look, standard and thorough several, which find more; "
        "size, taps, tiles or the preset paper ask for one look.",
    )
    looks: Annotated[Looks, Panel.LOOK] = Field(
        (),
        description="Several looks at every image in place of effort, each with a memory bank of its own: "
        "[NETWORK@]SIDE:TAP+TAP[:even], such as 448:3+4,224:2+3:even; sides divide the largest one; even brings each "
        "image to one brightness and contrast; none: as effort has it.",
    )
    join: Annotated[Literal["soft", "largest", "mean"], Panel.SCORE] = Field(
        "mean",
        description="How looks join, each on the scale of good images it has not seen: by their mean, larger looks "
        "counting more, by the largest, or by the soft largest, the logarithm of the sum of exponentials.",
    )
    suspects: Annotated[Literal["keep", "drop", "ask"], Panel.THRESHOLD] = Field(
        "keep",
        description="Good images that score like defects: keep them and name them, drop them from memory and "
        "threshold, or ask on the terminal, which blemish fit does where there is one.",
    )
    removable: Annotated[bool, Panel.MEMORY] = Field(
        True,
        description="Keep what is needed to take a training image out again: at most as many patches as the bank has.",
    )


class PaDiMSettings(MapSettings):
    """PaDiM."""

    PRESETS: ClassVar[Presets] = {"default": {"taps": [1, 2, 3]}, "paper": {"taps": [1, 2, 3], "resize": "crop"}}

    dimensions: Annotated[Whole, Panel.OTHER] = Field(
        100, ge=1, description="Random dimensions of a patch that are used, at most; none: all."
    )


class SPADESettings(MapSettings):
    """SPADE."""

    PRESETS: ClassVar[Presets] = {"default": {"taps": [1, 2, 3]}, "paper": {"taps": [1, 2, 3], "resize": "crop"}}

    nearest_images: Annotated[int, Panel.OTHER] = Field(
        50, ge=1, description="Most similar good images that an image is compared with, at most."
    )


class NearestImageSettings(MethodSettings):
    """1-NN: one vector an image, and no map."""


class TrainedSettings(MapSettings):
    """Of methods that train a network."""

    PRESETS: ClassVar[Presets] = {"default": {}, "paper": {"schedule": "published"}}

    schedule: Annotated[Literal["short", "published"], Panel.OTHER] = Field(
        "short",
        description="How large a network is trained, and how long: short takes minutes on a processor, published is "
        "as in the publication.",
    )
    epochs: Annotated[Whole, Panel.OTHER] = Field(
        None, ge=1, description="Passes over the good images; none: those of the schedule."
    )


class DifferNetSettings(TrainedSettings):
    """DifferNet."""

    SIZE_OF_SCHEDULE: ClassVar[Sizes] = {"short": 224, "published": 448}


class GANomalySettings(TrainedSettings):
    """GANomaly."""

    SIZE_OF_SCHEDULE: ClassVar[Sizes] = {"short": 32, "published": 32}


class CAVGASettings(TrainedSettings):
    """CAVGA."""

    SIZE_OF_SCHEDULE: ClassVar[Sizes] = {"short": 96, "published": 256}

    encoder: Annotated[OptionalPath, Panel.OTHER] = Field(
        None, description="Weights of ResNet-18 (.safetensors or .pth) that the encoder starts from; none: at random."
    )


OPTIONS_OF: Mapping[str, type[MethodSettings]] = {
    "patchcore": PatchCoreSettings,
    "padim": PaDiMSettings,
    "spade": SPADESettings,
    "1-nn": NearestImageSettings,
    "differnet": DifferNetSettings,
    "ganomaly": GANomalySettings,
    "cavga": CAVGASettings,
}
"""The options of each method, by its name."""


def readers(option: str) -> tuple[str, ...]:
    """The methods that read an option."""
    return tuple(method for method, options in OPTIONS_OF.items() if option in options.model_fields)
