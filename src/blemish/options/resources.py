"""What fitting may use of the machine."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from blemish.options.takes import Panel
from blemish.options.typed import Bytes, OptionalPath, Whole

__all__ = ["Resources"]


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
