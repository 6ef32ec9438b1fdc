"""What is told where a call cannot be carried out."""

from typing import Any

from pydantic import BaseModel

__all__ = ["ProblemOut"]


class ProblemOut(BaseModel):
    """What is wrong with a call (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[dict[str, Any]] | None = None
