"""What scores of unseen good parts allow one to promise: exact binomial bounds, whatever law the scores follow.

The theorem. Let n parts be independent, alike and unseen by the memory, with scores S_1 ... S_n, and let the threshold
be their k-th smallest, so that n - k of them lie above it. The share of all good parts that scores above it is at most
`rate` with confidence c if

    P(Binomial(n, rate) <= n - k) <= 1 - c,      the same as      P(Binomial(n, 1 - rate) <= k - 1) >= c.

Nothing is assumed of the scores' law: with ties the share only falls. These are the distribution-free tolerance limits
of order statistics (Wilks, Ann. Math. Statist. 1941, 12, 91-96; Scheffe & Tukey, ibid. 1945, 16, 187-192, for ties); in
today's words, split conformal prediction whose validity holds given the calibration set (Vovk, Conditional validity of
inductive conformal predictors, ACML 2012). Binomial tails are summed term by term: exact to rounding.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice, repeat, takewhile

from blemish.errors import DataError
from blemish.language.numbers import counted, percent

__all__ = ["Share", "allowed_above", "at_most", "highest_rate", "parts_needed", "rate_after_leaving_out"]


def at_most(count: int, n: int, rate: float) -> float:
    """P(Binomial(n, rate) <= count)."""
    if count < 0:
        return 0.0
    return next(islice(_distribution(n, rate), min(count, n), n + 1))


def _distribution(n: int, rate: float) -> Iterator[float]:
    """P(Binomial(n, rate) <= 0), ... <= 1, ... up to n, where it is 1."""
    if rate <= 0:
        yield from repeat(1.0, n + 1)
        return
    if rate < 1:
        hit, miss, whole = math.log(rate), math.log1p(-rate), math.lgamma(n + 1)
        ways = (whole - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(n))
        yield from accumulate(math.exp(way + i * hit + (n - i) * miss) for i, way in enumerate(ways))
    else:
        yield from repeat(0.0, n)
    yield 1.0


def parts_needed(rate: float, confidence: float) -> int:
    """How few unseen good parts can support a rate at all: then the threshold is the highest of their scores."""
    needed = max(1, math.ceil(math.log1p(-confidence) / math.log1p(-rate)))
    # The quotient of two logarithms may fall on the wrong side of a whole number.
    while at_most(0, needed, rate) > 1 - confidence:
        needed += 1
    while needed > 1 and at_most(0, needed - 1, rate) <= 1 - confidence:
        needed -= 1
    return needed


def allowed_above(n: int, rate: float, confidence: float) -> int | None:
    """How many of n scores may lie above the threshold; None where n parts are too few for this rate."""
    allowed = sum(1 for _ in takewhile(lambda tail: tail <= 1 - confidence, _distribution(n, rate)))
    return allowed - 1 if allowed else None


def highest_rate(above: int, n: int, confidence: float) -> float:
    """The highest rate that `above` of n leave possible (Clopper & Pearson, Biometrika 1934, 26, 404-413, one-sided).

    It is also what is promised of a threshold that lets `above` of n scores lie above it.
    """
    if above >= n:
        return 1.0
    low, high = above / n, 1.0
    # Halving until no number lies between; the upper end is kept, so that rounding never makes a bound too good.
    while low < (middle := (low + high) / 2) < high:
        if at_most(above, n, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def rate_after_leaving_out(above: int, n: int, left_out: int, confidence: float) -> float:
    """The rate promised of a threshold that `above` of `n` parts exceed, whatever the parts left out were.

    If m were left out, and all of them were good, `above` + m good parts exceed the threshold, and there are n good
    parts at least. As m was chosen by the scores, the chance of a wrong promise is divided among all m that could have
    been: 1 / (m (m + 1)) of it for each, which is all of it together. For m = 0 it is `highest_rate` itself.

    Args:
        above: How many of the parts that stayed score above the threshold.
        n: How many parts stayed.
        left_out: How many were left out, m.
        confidence: How sure the promise is to be, between 0 and 1.

    Returns:
        A share of good parts, between 0 and 1.
    """
    shared = 1 - (1 - confidence) / max(1, left_out * (left_out + 1))
    return highest_rate(above + left_out, n, shared)


@dataclass(frozen=True)
class Share:
    """A count out of a number, and the exact two-sided interval of the rate behind it (Clopper & Pearson 1934)."""

    count: int
    of: int
    low: float
    high: float
    level: float

    @classmethod
    def observed(cls, count: int, of: int, level: float = 0.95) -> "Share":
        """Raises DataError for a share of nothing."""
        if of < 1:
            raise DataError("A share of no parts is not defined; at least one is needed.")
        each_side = (1 + level) / 2
        low = 1 - highest_rate(of - count, of, each_side)
        return cls(count, of, low, highest_rate(count, of, each_side), level)

    @property
    def rate(self) -> float:
        return self.count / self.of

    @property
    def range(self) -> str:
        """The interval for people."""
        return f"{100 * self.level:g} %: {percent(self.low)} to {percent(self.high)}"

    def __str__(self) -> str:
        return f"{counted(self.count, self.of)}, {self.range}"
