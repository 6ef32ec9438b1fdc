"""What people may type for a setting, brought to what the setting holds."""

from os import PathLike, fspath

__all__ = ["areas", "coreset", "coreset_in_range", "listed", "or_none", "sides"]


def coreset(value: object) -> object:
    """Accept "1%" beside 0.01, and "5000" beside 5000."""
    if not isinstance(value, str):
        return value
    try:
        number = float(value.removesuffix("%"))
    except ValueError:
        raise ValueError("give a share such as 0.01 or 1%, or a number of rows such as 5000") from None
    if value.endswith("%") and number > 100:
        raise ValueError("give at most 100%")
    return number / 100 if value.endswith("%") else number


def coreset_in_range(value: float) -> float:
    if value <= 0 or (value > 1 and not value.is_integer()):
        raise ValueError("give a share above 0 and up to 1, or a whole number of rows")
    return value


def or_none(value: object) -> object:
    """Accept the word "none", so that the command line can take back what a preset sets."""
    return None if value == "none" else value


def listed(value: object) -> object:
    """Accept "layer2,layer3" or "2,3" beside a list, and "none" for an empty one."""
    if value == "none":
        return []
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def areas(value: object) -> object:
    """Accept several areas in one text, divided by semicolons, and "none" for no area."""
    if value == "none":
        return []
    if isinstance(value, str | PathLike):
        return [area.strip() for area in fspath(value).split(";") if area.strip()]
    return (
        [fspath(area) if isinstance(area, PathLike) else area for area in value] if isinstance(value, list) else value
    )


def sides(value: object) -> object:
    """Accept "320x256" (height x width) beside 256 and (320, 256)."""
    if isinstance(value, str) and "x" in value:
        return tuple(value.split("x"))
    return value
