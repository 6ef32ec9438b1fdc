"""What can be wrong with a call, as RFC 9457 has it; each kind has a page that says what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blemish.errors import BlemishError

__all__ = ["KINDS", "Kind", "Problem"]


@dataclass(frozen=True)
class Kind:
    """One kind of problem; `remedy` is what its page tells the reader to do."""

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "wrong-host": Kind(
        400,
        "The station does not answer to this host name",
        "Call the station by a name it knows, or add the name to `hosts` in blemish.toml and start again.",
    ),
    "malformed": Kind(400, "The call cannot be read", "Send the call as HTTP and this API define it."),
    "unauthenticated": Kind(
        401,
        "Nobody is logged in, and no valid token came",
        "Log in, or send `Authorization: Bearer TOKEN`. An engineer makes tokens under Settings.",
    ),
    "forbidden": Kind(
        403,
        "This needs another role or scope",
        "Ask an engineer for the role or the token that the message names.",
    ),
    "cross-site": Kind(
        403,
        "Another site sent this call",
        "Use the station's own pages. Programs send a token, not the cookie of a browser.",
    ),
    "not-found": Kind(404, "There is nothing at this address", "Check the address against the API reference."),
    "unknown-recipe": Kind(
        404,
        "There is no recipe of this name",
        "List the recipes with GET /api/v1/recipes, and check how the name is spelled.",
    ),
    "unknown-id": Kind(404, "There is nothing with this id", "Ids never change; check that the whole id was sent."),
    "wrong-method": Kind(405, "This address does not take this method", "See the API reference for what it takes."),
    "too-slow": Kind(
        408,
        "The body came too slowly",
        "Check the network. The station waits 30 s for the next piece of a body, then closes the call.",
    ),
    "not-on-line": Kind(
        409,
        "The recipe has no version on line",
        "Teach it good pictures, then promote a version: POST /api/v1/recipes/NAME:promote.",
    ),
    "conflict": Kind(
        409, "What is there already contradicts this", "Read what is there, then change the call or what is there."
    ),
    "idempotency-conflict": Kind(
        409,
        "This Idempotency-Key came before with another picture",
        "Use a new key for each part, and the same key only to repeat one call.",
    ),
    "golden-failed": Kind(
        409,
        "The version judges a golden picture wrongly",
        "Look at the pictures that the message names. Correct the version, or promote with `force`.",
    ),
    "expired": Kind(
        410,
        "The picture is not kept any more",
        "Verdict and score stay. Keep pictures longer by the recipe's retention.",
    ),
    "stale-edit": Kind(
        412, "Somebody else changed it in the meantime", "Read it again, then repeat the change with the new ETag."
    ),
    "too-large": Kind(
        413,
        "The call is larger than the station takes",
        "Send less in one call, or raise `max_body_mb` in blemish.toml.",
    ),
    "wrong-media": Kind(
        415, "The body is of a kind that is not taken here", "Send what the API reference names, such as image/png."
    ),
    "invalid": Kind(
        422, "A value cannot be used", "`errors` names each value by its place, with what is wanted instead."
    ),
    "no-if-match": Kind(428, "A change needs If-Match", "Send the ETag that came with what is to be changed."),
    "too-many-tries": Kind(
        429, "Too many tries to log in", "Wait for a minute. An engineer can set a new password under Settings."
    ),
    "broken": Kind(
        500,
        "The station made a mistake",
        "The log has the details under the request_id. Please report it.",
    ),
    "busy": Kind(
        503,
        "The station has more to do than it can do in time",
        "Repeat the call after the seconds in Retry-After, with the same Idempotency-Key. Nothing was recorded.",
    ),
    "not-ready": Kind(
        503,
        "The station is not able to serve this",
        "GET /api/v1/ready names the reasons. What is in order goes on being served.",
    ),
    "disk-full": Kind(
        507,
        "The disk is full, so this was not written",
        "Free space on the disk of the station's folder. Verdicts go on meanwhile.",
    ),
}
"""By name; the name is the last part of `type`."""


class Problem(BlemishError):
    """A call that is answered with a problem; `detail` is one sentence on this very call."""

    def __init__(self, name: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.name, self.kind = name, KINDS[name]
        self.headers, self.members = dict(headers or {}), members

    def to_dict(self) -> dict[str, Any]:
        """What the body says, but for `instance` and `request_id`."""
        return {
            "type": f"/errors/{self.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": str(self),
            **self.members,
        }
