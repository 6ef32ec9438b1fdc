"""What is told of the station itself."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Description", "Live", "Ready"]


class Live(BaseModel):
    """The process answers."""

    live: bool


class Ready(BaseModel):
    """Whether all that is on line can be served."""

    ready: bool
    reasons: list[str] = Field(description="What is not in order; nothing where the station is ready.")
    notes: list[str] = Field(description="What an engineer should see to, though everything serves.")
    waiting: int = Field(description="Parts that wait for their verdict.")


class Description(BaseModel):
    """A description as OpenAPI 3.1 has it."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]
