"""What is told to clients of KServe's open inference protocol."""

from typing import Any

from pydantic import BaseModel

__all__ = ["Inferred", "ModelOut", "ModelReady", "ServerOut", "ServerReady"]


class ServerOut(BaseModel):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class ServerReady(BaseModel):
    """Whether all that is on line can be served."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model can judge."""

    ready: bool


class TensorKind(BaseModel):
    """An input or output; -1 in `shape` is any number."""

    name: str
    datatype: str
    shape: list[int]


class ModelOut(BaseModel):
    """A recipe or a version as a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorKind]
    outputs: list[TensorKind]


class TensorOut(BaseModel):
    """One output."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class Noted(BaseModel):
    """What the station says beside the outputs."""

    inspection: str
    recorded: bool
    error: str


class Inferred(BaseModel):
    """The answer for one picture."""

    model_name: str
    model_version: str
    id: str
    parameters: Noted
    outputs: list[TensorOut]
