"""What pages say: a verdict in words, and the sentences of the scripts, which a test compares with their source."""

from collections.abc import Callable
from typing import Any

__all__ = ["GONE", "ONE", "SCRIPT_SAYS", "in_words"]

GONE = {
    "expired": "Its picture is not kept any more.",
    "lost": "Its picture could not be kept.",
    "off": "Pictures of this recipe are not kept.",
}
"""What stands in the place of a picture, by the state that its row names; all other pictures can be asked for."""


ONE = {
    "And {count} more parts; the job's result in the API lists all.": "And {count} more part; the job's result in the "
    "API lists all.",
    "All {count} golden pictures would be judged rightly.": "The golden picture would be judged rightly.",
    "See what teaching these {count} would change": "See what teaching this part would change",
    "Teach {count} pictures": "Teach {count} picture",
    "{count} answers wait in this page:": "{count} answer waits in this page:",
    "{count} parts are known to be bad; {missed} of them had been let through.": "{count} part is known to be bad; "
    "{missed} had been let through.",
    "{count} parts that people called really bad would pass.": "{count} part that people called really bad would pass.",
    "{count} pictures": "{count} picture",
    "{count} pictures are judged before any version goes on line.": "{count} picture is judged before any version "
    "goes on line.",
    "{count} pictures were not taken:": "{count} picture was not taken:",
    "{count} scores and the threshold": "{count} score and the threshold",
}
"""What English says of one, for each sentence that differs; Japanese says it as of many."""


def in_words(say: Callable[..., str], told: dict[str, Any]) -> list[str]:
    """The score of a part as sentences that need no knowledge of scores."""
    if told["error"] is not None:
        return [say(told["error"])]
    said = []
    if told["percentile"] is not None:
        said.append(say("Stranger than {count} of 100 good parts.", count=f"{told['percentile']:.4g}"))
    if told["score"] is not None and told["threshold"] is not None:
        score, threshold = (f"{told[name]:.3g}" for name in ("score", "threshold"))
        said.append(say("Its score is {score}; above {threshold} a part is NG.", score=score, threshold=threshold))
    return said + ([say(told["note"])] if told["note"] else [])


SCRIPT_SAYS: tuple[str, ...] = (
    "All {count} golden pictures would be judged rightly.",
    "An area needs three corners or more.",
    "Close",
    "Copy this token now; it is not shown again:",
    "Draw areas",
    "Go on without them",
    "Golden pictures",
    "Its picture could not be kept.",
    "Its picture is not kept any more.",
    "Kept.",
    "Known",
    "Look for more",
    "New verdict",
    "Not saved yet.",
    "Of the parts judged last, {count} of {all} would get another verdict; the threshold would be {threshold}.",
    "Part",
    "Past parts",
    "Picture",
    "Pictures of this recipe are not kept.",
    "See what teaching these {count} would change",
    "Stranger than {count} of 100 good parts.",
    "Taken back.",
    "Teach them: put this version on line",
    "That was the last one.",
    "The doctor finds nothing wrong with them.",
    "The doctor says:",
    "The station does not answer: what is shown here is old.",
    "The station does not answer; is it running, and the network in order?",
    "There are no golden pictures to judge.",
    "Time",
    "Verdict",
    "Verdict now",
    "Waiting for its turn",
    "What would change",
    "Zoom",
    "must never be NG",
    "must never be OK",
    "wrong",
    "{at} of {all}, {count} answered",
    "{count} answers wait in this page:",
    "{count} min ago",
    "{count} of {all} golden pictures would be judged wrongly, so "
    "this version cannot go on line. Take out what it should not learn, and look again.",
    "{count} of {all} judged",
    "{count} of {all} sent",
    "{count} parts that people called really bad would pass.",
    "{count} pictures were not taken:",
    "{count} s ago",
)
