"""One form for shares, everywhere people read them: per cents with one decimal, counts beside them."""

import math

__all__ = ["at_most", "counted", "percent"]


def percent(share: float | None) -> str:
    """A share in per cent: 2.0 %; more digits where one decimal would say 0.0 or 100.0 of what is neither."""
    if share is None:
        return "-"
    if 0 < share < 0.0005 or 0.9995 <= share < 1:
        return f"{100 * share:.2g} %" if share < 0.5 else f"{100 * share:.4g} %"
    return f"{100 * share:.1f} %"


def at_most(share: float) -> str:
    """A bound in per cent, rounded up, so that what is promised stays true: 5.03 % is at most 5.1 %."""
    return f"{math.ceil(1000 * share - 1e-9) / 10:.1f} %"


def counted(part: int, whole: int) -> str:
    """A share with what it was counted from: 2.0 % (4 of 200)."""
    return f"{percent(part / whole if whole else None)} ({part} of {whole})"
