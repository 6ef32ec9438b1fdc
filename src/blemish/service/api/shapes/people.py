"""What is told of people, tokens and the audit log."""

from typing import Any

from pydantic import BaseModel, Field

__all__ = ["AuditPage", "AuditRow", "MeOut", "SessionOut", "TokenMade", "TokenOut", "UserOut"]


class SessionOut(BaseModel):
    """Who has logged in; the cookie comes beside it."""

    name: str
    role: str
    lang: str


class MeOut(BaseModel):
    """Who calls."""

    name: str
    grant: str = Field(description="The role of a user, or the scope of a token.")
    user: str | None = Field(description="The id of a user; null for a token.")
    lang: str


class UserOut(BaseModel):
    """A user."""

    id: str
    name: str
    role: str
    lang: str
    at: str
    has_password: bool


class TokenOut(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    scope: str
    by: str
    at: str
    revoked: str | None = Field(description="When it was revoked; null while it is in force.")


class TokenMade(TokenOut):
    """A new token."""

    secret: str = Field(description="Told this once.")


class AuditRow(BaseModel):
    """One change."""

    seq: int
    at: str
    who: str
    what: str
    about: str
    before: Any
    after: Any
    hash: str = Field(description="Of this row and the hash of the one before.")


class AuditPage(BaseModel):
    """Changes, the newest first."""

    items: list[AuditRow]
    next: int | None = Field(description="The cursor of the next page; null at the end.")
