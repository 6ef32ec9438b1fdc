"""blemish fit --plan: what a fit will take, before it begins."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.console import in_language, print_json, progress_bar, say, tell
from blemish.options.takes import Panel

if TYPE_CHECKING:
    from blemish.system.address import Place

__all__ = ["Plan", "tell_plan", "warn_of_rows"]

Plan = Annotated[
    bool,
    typer.Option(
        "--plan",
        help="Say what the fit will take in time, memory and disk, measured on the first images, and end.",
        rich_help_panel=Panel.MACHINE,
    ),
]
COSTLY_ROWS = 100_000
"""Rows of a memory bank above which its cost is told before the work begins."""
CLUSTERS = 16, 64, 128
"""Processors that a plan is told for."""


def tell_plan(
    paths: "Sequence[Place]", wanted: Mapping[str, Any], *, groups: Sequence[str] | None, cluster: bool, json: bool
) -> None:
    """Measure and print; with `cluster` also what several machines will take."""
    from blemish.cluster.estimate import plan_fit

    with progress_bar():
        plan = plan_fit(paths, cluster=cluster, groups=groups, **wanted)
    clusters = {count: plan.on(count) for count in CLUSTERS} if cluster else {}
    if json:
        told: dict[str, Any] = {"images": plan.images, "measured": plan.measured, "threads": plan.threads}
        told |= {"seconds": plan.seconds, "total_seconds": plan.total, "rows": [look.rows for look in plan.looks]}
        told |= {"patches": [look.patches for look in plan.looks], "memory_bytes": plan.memory}
        print_json(told | {"disk_bytes": plan.disk, "model_bytes": plan.model, "seconds_of_processors": clusters})
        return
    tell(f"{plan.images} images, measured on the first {plan.measured}, with {plan.threads} thread(s) of this machine.")
    steps = ", ".join(f"{in_language(step)} {_time(took)}" for step, took in plan.seconds.items())
    tell(f"Time: about {_time(plan.total)}: {steps}.")
    for count, seconds in clusters.items():
        tell(f"On a cluster of {count} such processors: about {_time(seconds)}, where the storage keeps up.")
    tell(
        f"Memory for patches: {_size(plan.memory)}; disk: {_size(plan.disk)}; model file: at most {_size(plan.model)}."
    )
    for look in plan.looks:
        tell(f"Memory bank: {look.rows:,} of {look.patches:,} patches of {look.dimension} values.")
    warn_of_rows(plan.rows)


def warn_of_rows(rows: float) -> None:
    """Say what a very large memory bank costs."""
    if rows > COSTLY_ROWS:
        from blemish.cluster.estimate import search_seconds

        say(
            f"A memory bank of {rows:.0f} rows takes about {search_seconds(rows):.2g} s of a processor for each image "
            f"inspected, and {_size(4 * 152 * rows)} of memory at 152 values a row; fewer rows (--coreset 20000) are "
            f"usually enough."
        )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _size(count: float) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
