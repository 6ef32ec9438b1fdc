"""What `fit` and `Settings` take, for editors and type checkers; written by scripts/write_options.py."""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

__all__ = ["FitOptions", "SettingsOptions"]


class SettingsOptions(TypedDict, total=False):
    """What `Settings` takes."""

    method: Literal["patchcore", "padim", "spade", "1-nn", "differnet", "ganomaly", "cavga"]
    """What is learnt of the good images."""

    preset: Literal["default", "paper"]
    """default, or paper for a method as published."""

    backbone: str
    """Network that describes patches: a name, or an .onnx file."""

    taps: Sequence[str | int] | str
    """Stages of the network to use, by name or level (2,3); none: the network's own choice."""

    size: int | tuple[int, int] | str
    """Input size: one number sets the area (224: as many pixels as 224 x 224), 320x256 sets height and width, native
    takes the good images' own; auto is 224, or native with tiles."""

    tiles: int | Literal["auto"] | Literal["none"] | None
    """Side of the overlapping tiles that the network is shown a large input in, in input pixels; auto: 1024; none: the
    input at once."""

    resize: Literal["auto", "letterbox", "stretch", "crop"]
    """How an image meets the input: letterbox takes the good images' median aspect and pads others (padding never
    scores), stretch distorts all to a square, crop looks at the centre only; auto is letterbox where the good images
    share an aspect, else stretch."""

    include: Sequence[str | PathLike[str]] | PathLike[str] | str
    """Look only there: x,y,WIDTHxHEIGHT or a polygon x,y x,y x,y in pixels of the first good image, a labelme .json or
    a mask image of its size; several divided by semicolons."""

    ignore: Sequence[str | PathLike[str]] | PathLike[str] | str
    """Never look there: areas as for include."""

    align: Literal["none", "shift", "rigid"]
    """Bring every image to the first good one before looking: shift for parts that move, rigid for parts that turn as
    well."""

    patch_size: int
    """Neighbourhood averaged into a patch, odd."""

    patch_stride: int
    """Keep every s-th patch in each direction."""

    merge: Literal["concat", "adaptive"]
    """How taps become one vector: concat, or adaptive pooling to 1024 values (the paper's)."""

    coreset: float | str
    """Patches kept in the memory bank: a share (0.01, 1%) or a number of rows (5000)."""

    radius: float | Literal["none"] | None
    """Stop the coreset once every good patch lies within this distance of the bank (blemish info prints what a model
    has reached), so that varied parts get more rows; coreset then sets the most; none: never."""

    bank_type: Literal["float32", "float16"]
    """Numbers that the bank keeps: float16 halves the model file and moves each distance by no more than blemish info
    states."""

    search: Literal["exact", "approximate"]
    """How the nearest rows are found: exactly, or by faiss in a part of the bank (extra faiss), for banks of a million
    rows; how often it finds the nearest is printed."""

    projection: int | Literal["none"] | None
    """Choose the coreset in a random projection to this many dimensions; none: exactly."""

    image_score: Literal["peak", "max", "reweighted", "top"]
    """From patch scores to one number: the peak of the anomaly map, the largest patch score, that one re-weighted by
    its neighbours (the paper's), or the mean of the top patches."""

    neighbours: int
    """Bank neighbours that re-weight the maximum."""

    top: float
    """Share of patches averaged when image_score is top."""

    tile_banks: Literal["one", "each"]
    """One memory bank for all tiles, or each tile position its own, sharing the coreset; for parts that always lie
    alike."""

    removable: bool
    """Keep what lets a training image be taken out again: at most as many patches as the bank has."""

    schedule: Literal["short", "published"]
    """How long and how large a network is trained: minutes on a processor, or as published."""

    epochs: int | Literal["none"] | None
    """Passes over the good images; none: as the schedule has it."""

    encoder: str | PathLike[str] | None
    """Weights of ResNet-18 (.safetensors or .pth) that the encoder starts from; none: at random."""

    dimensions: int | Literal["none"] | None
    """Random dimensions of a patch that are looked at, at most; none: all."""

    nearest_images: int
    """Good images nearest to an image that it is compared with, at most."""

    sigma: float
    """Blur of the anomaly map, in input pixels."""

    false_rejects: float
    """Share of good parts that may be NG."""

    confidence: float
    """How sure to be that no more are."""

    review: float
    """Share of good parts that may be REVIEW: what people can look at; 0: no such band."""

    calibration: Literal["auto", "split", "cross"]
    """Good parts that set the threshold: split keeps some from the memory, which allows a promise; cross scores each by
    a memory without its fold, which gives an estimate; auto splits where the parts held out are enough for the
    promise."""

    held_out: float
    """Good parts a split keeps from the memory: a share below 1, or a number."""

    folds: int | Literal["none"] | None
    """Parts the good images are held out in, one after the other (cross); none: 20 for patchcore, which leaves rows out
    and fits nothing anew, 5 for others."""

    pixel_range: tuple[float, float] | str | None
    """Darkest and brightest value of 16-bit or float images; none: from the good images."""

    seed: int
    """Draws the folds and the first row of the coreset."""

    nodata: float | Literal["auto"]
    """Value of float pixels that were not measured, which are not looked at; auto: what the file says, or a value
    repeated far from all others."""

    effort: Literal["quick", "standard", "thorough"]
    """What an image may cost: quick takes one look, standard and thorough several, which find more; size, taps, tiles
    or the preset paper ask for one look."""

    looks: Sequence[str] | str
    """Several looks at every image in place of effort, each with a memory bank of its own:
    [NETWORK@]SIDE:TAP+TAP[:even], such as 448:3+4,224:2+3:even; sides divide the largest one; even brings each image to
    one brightness and contrast; none: as effort has it."""

    join: Literal["soft", "largest", "mean"]
    """How looks join, each on the scale of good images it has not seen: soft is the logarithm of the sum of
    exponentials, near the largest."""


class FitOptions(SettingsOptions, total=False):
    """What `fit` takes: settings, and resources of the machine."""

    provider: str
    """Hardware that runs the network: cpu, cuda, tensorrt, openvino, openvino-bf16, ..."""

    threads: int | Literal["none"] | None
    """Processors to use; none: all that are available."""

    memory: int | str | None
    """Memory for the good images' patches, such as 2GB; beyond it they wait in a file."""

    spill_folder: str | PathLike[str] | None
    """Folder of that file; none: the system's temporary one."""

    checkpoint: str | PathLike[str] | None
    """File that keeps a training after each epoch: fitting again with it goes on from there; none: for blemish fit,
    beside the model file."""

    spill_type: Literal["float32", "float16"]
    """Numbers in that file: float32 changes nothing, float16 takes half the disk."""

    accept_damaged: bool
    """Read files that are damaged, as far as they can be, instead of refusing them."""

    max_pixels: int | Literal["none"] | None
    """Pixels of the largest image that is read; none: 179 million, and for an inspected one 16 times the largest good
    image."""
