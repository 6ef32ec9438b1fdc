"""What a model's threshold rests on, in the language of a report."""

from blemish.calibration.promise import parts_needed
from blemish.calibration.thresholds import Calibration
from blemish.language.numbers import at_most, percent
from blemish.reports.words import Words

__all__ = ["basis"]

ESTIMATE = (
    "しきい値 {threshold}:良品の約{share}がNGになると推定されます。これは、良品{parts}のそれぞれに、"
    "その良品を見ていないメモリバンクで付けたスコアから求めた推定値です。信頼度{confidence}で{asked}以下を保証するには、"
    "メモリバンクが見ていない良品{needed}個以上で校正してください。"
)
GIVEN = (
    "しきい値 {threshold}(手動で指定):NGになる良品は{share}以下です(信頼度{confidence})。"
    "学習に使わなかった良品{parts}のうち、しきい値を超えたものは{above}です。"
)
BEST = (
    "しきい値 {threshold}:NGになる良品は{share}以下です(信頼度{confidence})。"
    "学習に使わなかった良品{parts}では、これが最良の保証です。{asked}以下を保証するには{needed}個必要です。"
)
PROMISE = (
    "しきい値 {threshold}:NGになる良品は{asked}以下です(信頼度{confidence})。"
    "学習に使わなかった良品{parts}のうち、しきい値を超えたものは{above}です。"
)
REVIEW_ESTIMATE = "{review}を超えるとREVIEWになります。REVIEWまたはNGになる良品は約{share}と推定されます。"
REVIEW_PROMISE = "{review}を超えるとREVIEWになります。REVIEWまたはNGになる良品は{share}以下です。"


def basis(words: Words, calibration: Calibration) -> str:
    """What `str(calibration)` says, in the language of these words."""
    return (
        str(calibration) if words.language == "en" else _main(calibration) + _band(calibration) + _without(calibration)
    )


def _without(calibration: Calibration) -> str:
    left, promise = calibration.left_out, calibration.promise_if_good
    if not left:
        return ""
    rate = (calibration.above + left + 1) / (calibration.groups + left + 1)
    share = f"約{percent(rate)}" if promise is None else f"{at_most(promise)}以下"
    return f"これは、外した{left}個が不良品の場合です。良品だった場合、NGになる良品は{share}です。"


def _main(calibration: Calibration) -> str:
    wanted, promise = calibration.wanted, calibration.promise
    if promise is None:
        said = ESTIMATE
    elif wanted.threshold is not None:
        said = GIVEN
    else:
        said = BEST if promise > wanted.false_rejects else PROMISE
    return said.format(
        threshold=f"{calibration.threshold:.4g}",
        share=percent(calibration.estimate) if promise is None else at_most(promise),
        asked=percent(wanted.false_rejects),
        confidence=f"{100 * wanted.confidence:g} %",
        needed=parts_needed(wanted.false_rejects, wanted.confidence),
        parts=_parts(calibration),
        above=_above(calibration),
    )


def _parts(calibration: Calibration) -> str:
    """How many good parts; how many images, where a part has several."""
    groups, images = calibration.groups, calibration.images
    return f"{groups}個" if groups == images else f"{groups}個(画像{images}枚)"


def _above(calibration: Calibration) -> str:
    """How many of them lie above the threshold; where scores are equal, fewer do."""
    return f"{calibration.above}個以下" if calibration.above else "0個"


def _band(calibration: Calibration) -> str:
    if calibration.review_above == calibration.above:
        return ""
    review, promise = f"{calibration.review_threshold:.4g}", calibration.review_promise
    if promise is None:
        share = (calibration.review_above + 1) / (calibration.groups + 1)
        return REVIEW_ESTIMATE.format(review=review, share=percent(share))
    share = max(promise, calibration.wanted.false_rejects + calibration.wanted.review)
    return REVIEW_PROMISE.format(review=review, share=at_most(share))
