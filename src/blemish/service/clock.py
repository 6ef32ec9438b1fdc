"""Times and names of rows: UTC with milliseconds, and ULIDs, which sort by the time they were made."""

import datetime
import secrets
import time

__all__ = ["days_before", "later", "moment", "new_id", "now"]

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def now() -> str:
    """The time, UTC, RFC 3339 with milliseconds."""
    return _text(datetime.datetime.now(datetime.UTC))


def later(seconds: float) -> str:
    """The time so many seconds from now; before now where they are negative."""
    return _text(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds))


def days_before(when: datetime.datetime, days: float) -> str:
    """The time so many days before another."""
    return _text(when - datetime.timedelta(days=days))


def new_id() -> str:
    """A new ULID: 48 bits of time, 80 of chance, 26 characters."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "".join(_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10))


def moment(text: str) -> str:
    """A time that a caller sent, as times are kept: UTC, taken for UTC where it names no zone. Raises ValueError."""
    read = datetime.datetime.fromisoformat(text)
    try:
        return _text((read if read.tzinfo else read.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC))
    except OverflowError:
        raise ValueError("a time within the years 1 to 9999 is wanted") from None


def _text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
