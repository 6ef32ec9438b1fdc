"""What `fit` and `Settings` take, for editors and type checkers; written by scripts/write_options.py."""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

__all__ = ["FitOptions", "SettingsOptions"]


class SettingsOptions(TypedDict, total=False):
    """What `Settings` takes."""

    method: Literal["patchcore", "padim", "spade", "1-nn", "differnet", "ganomaly", "cavga"]
    """Method that learns from the good images."""

    preset: Literal["default", "paper"]
    """Set of defaults: default, or paper for the method as published."""

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
    """How an image is brought to the input size: letterbox takes the good images' median aspect and pads others
    (padding never scores), stretch distorts all to a square, crop looks at the centre only; auto is letterbox where the
    good images share an aspect, else stretch."""

    include: Sequence[str | PathLike[str]] | PathLike[str] | str
    """Inspect only this area: x,y,WIDTHxHEIGHT or a polygon x,y x,y x,y in pixels of the first good image, a labelme
    .json or a mask image of its size; several are divided by semicolons."""

    ignore: Sequence[str | PathLike[str]] | PathLike[str] | str
    """Never inspect this area; given as for include."""

    align: Literal["none", "shift", "rigid"]
    """Align every image with the first good one: shift for parts that move, rigid for parts that turn as well."""

    patch_size: int
    """Side of the neighbourhood averaged into a patch: an odd number of grid positions."""

    patch_stride: int
    """Keep every n-th patch in each direction."""

    merge: Literal["concat", "adaptive"]
    """How taps become one vector: concat, or adaptive pooling to 1024 values (the paper's)."""

    coreset: float | str
    """Patches kept in the memory bank: a share (0.01, 1%) or a number of rows (5000)."""

    radius: float | Literal["none"] | None
    """Stop the coreset once every good patch lies within this distance of the bank (blemish info prints what a model
    has reached), so that varied parts get more rows; coreset then sets the most; none: never."""

    bank_type: Literal["float32", "float16"]
    """Number type of the memory bank: float16 halves the model file and moves each distance by no more than blemish
    info states."""

    search: Literal["exact", "approximate"]
    """How the nearest rows are found: exactly, or by faiss in a part of the bank (extra faiss), for banks of a million
    rows; how often it finds the nearest is printed."""

    projection: int | Literal["none"] | None
    """Choose the coreset in a random projection to this many dimensions; none: in all of them."""

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
    """Keep what is needed to take a training image out again: at most as many patches as the bank has."""

    schedule: Literal["short", "published"]
    """How large a network is trained, and how long: short takes minutes on a processor, published is as in the
    publication."""

    epochs: int | Literal["none"] | None
    """Passes over the good images; none: those of the schedule."""

    encoder: str | PathLike[str] | None
    """Weights of ResNet-18 (.safetensors or .pth) that the encoder starts from; none: at random."""

    dimensions: int | Literal["none"] | None
    """Random dimensions of a patch that are used, at most; none: all."""

    nearest_images: int
    """Most similar good images that an image is compared with, at most."""

    sigma: float
    """Blur of the anomaly map, in input pixels."""

    false_rejects: float
    """Share of good parts that may be NG."""

    confidence: float
    """Confidence that no more good parts are NG."""

    review: float
    """Share of good parts that may be REVIEW, for people to check; 0: no REVIEW."""

    calibration: Literal["auto", "split", "cross"]
    """Good parts that set the threshold: split keeps some from the memory bank, which allows a promise; cross scores
    each by a memory bank without its fold, which gives an estimate; auto is split where the parts held out are enough
    for the promise, else cross."""

    held_out: float
    """Good parts that split keeps from the memory bank: a share below 1, or a number."""

    folds: int | Literal["none"] | None
    """Number of folds in which cross holds the good images out, one after the other; none: 20 for patchcore, which only
    leaves rows out, 5 for others."""

    pixel_range: tuple[float, float] | str | None
    """Darkest and brightest value of 16-bit or float images; none: from the good images."""

    seed: int
    """Seed of the random draws: the folds, and the first row of the coreset."""

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
    """How looks join, each on the scale of good images it has not seen: by their mean, larger looks counting more, by
    the largest, or by the soft largest, the logarithm of the sum of exponentials."""

    suspects: Literal["keep", "drop", "ask"]
    """Good images that score like defects: keep them and name them, drop them from memory and threshold, or ask on the
    terminal, which blemish fit does where there is one."""


class FitOptions(SettingsOptions, total=False):
    """What `fit` takes: settings, and resources of the machine."""

    provider: str
    """Hardware that runs the network: cpu, cuda, tensorrt, openvino, openvino-bf16, ..."""

    threads: int | Literal["none"] | None
    """Processors to use; none: all that are available."""

    memory: int | str | None
    """Memory for the patches of the good images, such as 2GB; the rest goes to a temporary file."""

    spill_folder: str | PathLike[str] | None
    """Folder of the temporary file of --memory; none: that of the system."""

    checkpoint: str | PathLike[str] | None
    """File that keeps a training after each epoch: fitting again with it goes on from there; none: for blemish fit,
    beside the model file."""

    spill_type: Literal["float32", "float16"]
    """Numbers in the temporary file of --memory: float32 changes nothing, float16 takes half the disk."""

    accept_damaged: bool
    """Read files that are damaged, as far as they can be, instead of refusing them."""

    max_pixels: int | Literal["none"] | None
    """Pixels of the largest image that is read; none: 179 million, and for an inspected one 16 times the largest good
    image."""
