"""The promise against scipy, against exact fractions, and against every sample that a small world can bring."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest

from blemish.arrays import Doubles
from blemish.calibration.promise import (
    Share,
    allowed_above,
    at_most,
    highest_rate,
    parts_needed,
    rate_after_leaving_out,
)
from blemish.calibration.suspects import suspect_places, suspicion
from blemish.errors import DataError


@pytest.mark.parametrize("n", [1, 2, 7, 12])
def test_binomial_tails_by_exact_fractions(n: int) -> None:
    for rate in (Fraction(1, 100), Fraction(1, 3), Fraction(9, 10)):
        exact = Fraction(0)
        for count in range(n + 1):
            exact += math.comb(n, count) * rate**count * (1 - rate) ** (n - count)
            assert at_most(count, n, float(rate)) == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("n", [58, 299, 1000, 50_000])
@pytest.mark.parametrize("rate", [1e-4, 0.005, 0.05, 0.5, 0.99])
def test_binomial_tails_by_scipy(n: int, rate: float) -> None:
    for count in {0, 1, n // 100, n // 2, n - 1, n}:
        assert at_most(count, n, rate) == pytest.approx(binom.cdf(count, n, rate), rel=1e-9, abs=1e-14)


def test_tails_at_the_ends() -> None:
    assert at_most(-1, 5, 0.3) == at_most(3, 5, 1.0) == 0
    assert at_most(5, 5, 0.3) == at_most(9, 5, 0.3) == at_most(0, 5, 0.0) == at_most(5, 5, 1.0) == 1


def test_parts_needed_are_those_of_the_tables() -> None:
    assert [parts_needed(rate, 0.95) for rate in (0.005, 0.01, 0.02, 0.05)] == [598, 299, 149, 59]
    assert [parts_needed(rate, 0.99) for rate in (0.01, 0.05)] == [459, 90]
    assert parts_needed(0.5, 0.5) == parts_needed(0.9, 0.5) == 1
    assert parts_needed(0.5, 0.75) == 2  # exactly on the bound, where two logarithms divide to 2 and a bit


@pytest.mark.parametrize(("n", "rate"), [(59, 0.05), (149, 0.02), (299, 0.01), (598, 0.005)])
def test_one_part_fewer_is_too_few(n: int, rate: float) -> None:
    assert allowed_above(n - 1, rate, 0.95) is None
    assert allowed_above(n, rate, 0.95) == 0
    assert highest_rate(0, n - 1, 0.95) > rate >= highest_rate(0, n, 0.95)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_as_many_may_lie_above_as_the_tail_allows_and_no_more(confidence: float) -> None:
    for n in (1, 10, 93, 473, 2000):
        for rate in (0.005, 0.05, 0.3):
            allowed = allowed_above(n, rate, confidence)
            above = -1 if allowed is None else allowed
            assert above < 0 or binom.cdf(above, n, rate) <= 1 - confidence
            assert binom.cdf(above + 1, n, rate) > 1 - confidence


def test_highest_rates_are_quantiles_of_beta_laws() -> None:
    for n, above in ((1, 0), (20, 0), (59, 3), (299, 0), (1000, 400), (30, 29)):
        assert highest_rate(above, n, 0.95) == pytest.approx(beta.ppf(0.95, above + 1, n - above), rel=1e-10)
    assert highest_rate(7, 7, 0.95) == 1


def test_shares_have_the_interval_of_clopper_and_pearson() -> None:
    for count, of in ((0, 1), (1, 1), (0, 174), (3, 40), (293, 392), (392, 392)):
        share, expected = Share.observed(count, of), binomtest(count, of).proportion_ci(0.95, "exact")
        assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert share.low <= share.rate <= share.high
    assert str(Share.observed(3, 40)) == "7.5 % (3 of 40), 95 %: 1.6 % to 20.4 %"
    with pytest.raises(DataError, match="A share of no parts"):
        Share.observed(0, 0)


def kept(law: Doubles, n: int, rate: float, confidence: float) -> float:
    """The chance that the promise is kept, by weighing every sample of n from values 0, 1, ... of the law given."""
    above = allowed_above(n, rate, confidence)
    assert above is not None
    total = 0.0
    for sample in itertools.product(range(len(law)), repeat=n):
        threshold = sorted(sample)[-1 - above]
        rejected = law[threshold + 1 :].sum()
        total += np.prod(law[list(sample)]) * (rejected <= rate + 1e-12)
    return total


@pytest.mark.parametrize(("n", "rate", "confidence"), [(5, 0.5, 0.95), (6, 0.4, 0.9), (7, 0.6, 0.9), (7, 0.5, 0.75)])
@pytest.mark.parametrize("law", [[0.25] * 4, [0.5, 0.3, 0.15, 0.05], [0.9, 0.05, 0.04, 0.01], [0.4, 0.6]])
def test_the_promise_is_kept_over_every_sample(n: int, rate: float, confidence: float, law: list[float]) -> None:
    assert kept(np.array(law), n, rate, confidence) >= confidence


LAWS: dict[str, Callable[[np.random.Generator, int], Doubles]] = {
    "normal": lambda random, n: random.normal(size=n),
    "cauchy": lambda random, n: random.standard_cauchy(n),
    "counts": lambda random, n: random.poisson(1.0, n).astype(float),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [59, 200])
def test_the_promise_is_kept_in_simulation(law: str, n: int) -> None:
    """At 5 % and 95 %, 2,000 calibrations: broken in no more than 5 % and three standard errors of them."""
    random, above = np.random.default_rng(0), allowed_above(n, 0.05, 0.95)
    assert above is not None
    population = np.sort(LAWS[law](random, 200_000))
    thresholds = np.sort(LAWS[law](random, 2000 * n).reshape(2000, n), axis=1)[:, -1 - above]
    rejected = 1 - np.searchsorted(population, thresholds, side="right") / len(population)
    assert (rejected > 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize(("defects", "spread"), [(0, 0.0), (3, 0.5), (15, 4.0)])
def test_the_promise_holds_after_suspects_were_left_out(defects: int, spread: float) -> None:
    """Of 300 parts up to 5 % are defects, some far out, some in the midst; what the rule names is left out."""
    random = np.random.default_rng(defects)
    broken = broken_whatever = 0
    draws, n = 2000, 300
    for _ in range(draws):
        good, bad = random.exponential(size=n - defects), random.exponential(size=defects) + spread
        named = suspect_places(suspicion(np.concatenate([good, bad])))
        is_bad = named >= n - defects
        rest = np.delete(np.concatenate([good, bad]), named)
        rate = np.exp(-rest.max())  # of good parts above the threshold, exactly
        wrongly, hidden = int((~is_bad).sum()), defects - int(is_bad.sum())
        broken_whatever += rate > rate_after_leaving_out(0, n - len(named) - hidden, len(named), 0.95)
        # Where the parts left out are known, only the good ones among them count.
        broken += rate > rate_after_leaving_out(0, n - defects, wrongly, 0.95)
    # Those who left nothing out, and those who did, may each be wrong 5 times in 100.
    assert broken / draws < 0.1
    assert broken_whatever / draws < 0.05


def test_leaving_out_good_parts_breaks_the_promise_that_does_not_count_them() -> None:
    """Why the parts left out are counted: without, a threshold cut from the top promises what it cannot keep."""
    random = np.random.default_rng(1)
    kept_to = highest_rate(0, 290, 0.95)
    wrong = [np.exp(-np.sort(random.exponential(size=300))[-11]) > kept_to for _ in range(500)]
    assert np.mean(wrong) > 0.99


def test_leaving_nothing_out_changes_nothing() -> None:
    assert rate_after_leaving_out(2, 299, 0, 0.95) == highest_rate(2, 299, 0.95)
    assert rate_after_leaving_out(0, 299, 1, 0.95) == highest_rate(1, 299, 0.975)
