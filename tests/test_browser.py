"""The report in a real browser: it fits a desktop and a phone, and its slider says what the scores say.

Chromium loads the report in frames of several widths, a script beside it works the page, and the browser hands back
what it made of it (--dump-dom). Without Chromium these tests skip.
"""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM, HEADLESS
from test_evaluation_report import HOSTILE, evaluation, written

from blemish.detector import Detector
from blemish.evaluation.evaluation import Evaluation

__all__ = ["evaluation"]

WIDTHS = (360, 390, 768, 1280)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here (apt-get install chromium): the report was not looked at in a browser"
)

_PROBE = """
const seen = {widths: {}, steps: []};
const frames = [...document.querySelectorAll("iframe")];
const text = (page, name) => page.querySelector(`[data-out="${name}"]`).textContent;
function state(page) {
  const names = ["rejected", "missed", "held out above", "missed 0", "missed 1"];
  return {threshold: Number(page.getElementById("typed").value), at: page.querySelector(".scores").style.cssText,
    counts: Object.fromEntries(names.map((name) => [name, text(page, name)]))};
}
function press(page, key) {
  const event = new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true});
  page.getElementById("threshold").dispatchEvent(event);
}
function type(page, value) {
  const typed = page.getElementById("typed");
  typed.value = value;
  typed.dispatchEvent(new Event("change", {bubbles: true}));
}
addEventListener("load", () => {
  for (const frame of frames) {
    const page = frame.contentDocument, root = page.documentElement;
    const wide = [...page.querySelectorAll("body *")].filter((each) => !each.closest(".scroll") &&
      each.getBoundingClientRect().right > frame.clientWidth + 1).map((each) => each.outerHTML.slice(0, 80));
    seen.widths[frame.width] = {scroll: root.scrollWidth, client: root.clientWidth, wide,
      broken: [...page.images].filter((image) => !image.naturalWidth).length, lang: root.lang,
      scripts: page.scripts.length,
      fetched: frame.contentWindow.performance.getEntriesByType("resource").map((each) => each.name)
        .filter((name) => !name.startsWith("data:"))};
  }
  const page = frames[0].contentDocument;
  seen.steps.push(state(page));
  for (const key of ["ArrowRight", "PageUp", "ArrowLeft", "PageDown", "PageDown"]) {
    press(page, key);
    seen.steps.push(state(page));
  }
  for (const value of VALUES) { type(page, value); seen.steps.push(state(page)); }
  page.querySelector("[data-threshold]").click();
  seen.steps.push(state(page));
  document.querySelector("#seen").textContent = JSON.stringify(seen);
});
"""


def browse(tmp_path: Path, page: str, values: list[float]) -> tuple[dict[str, Any], str]:
    """What the probe saw, and what the browser logged."""
    frames = "".join(f'<iframe width="{width}" height="900" srcdoc="{html.escape(page)}"></iframe>' for width in WIDTHS)
    probe = _PROBE.replace("VALUES", json.dumps(values))
    outside = tmp_path / "outside.html"
    outside.write_text(
        f'<!doctype html><meta charset="utf-8"><pre id="seen"></pre>{frames}<script>{probe}</script>', encoding="utf-8"
    )
    assert CHROMIUM is not None
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [CHROMIUM, *HEADLESS, "--enable-logging=stderr", profile, "--virtual-time-budget=5000", "--dump-dom"]
    done = subprocess.run([*command, outside.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    assert found[1], done.stderr
    seen: dict[str, Any] = json.loads(html.unescape(found[1]))
    return seen, done.stderr


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_report_in_a_browser(
    tmp_path: Path, detector: Detector, evaluation: Evaluation, model: Path, language: str
) -> None:
    scored = [each for each in evaluation.predictions if not each.error]
    values = [0.0, *(each.score for each in scored[::3]), 1e6]
    seen, logged = browse(tmp_path, written(tmp_path / "r.html", detector, evaluation, model, language), values)
    assert "CONSOLE" not in logged, logged
    for width in WIDTHS:
        found = seen["widths"][str(width)]
        assert found["scroll"] <= found["client"] <= width, f"{width} px wide: {found['wide']}"
        assert (found["wide"], found["broken"], found["fetched"]) == ([], 0, [])
        assert (found["lang"], found["scripts"]) == (language, 2)
    steps = seen["steps"]
    thresholds = [step["threshold"] for step in steps]
    assert thresholds[0] == thresholds[-1] == pytest.approx(evaluation.threshold, rel=1e-5)
    assert thresholds[0] < thresholds[1] < thresholds[2] > thresholds[3] > thresholds[4], "arrows and page keys"
    assert thresholds[6:-1] == pytest.approx(values, rel=1e-5)
    good = np.array([each.score for each in scored if not each.label])
    defects = {name: np.array([each.score for each in scored if each.defect == name]) for name in (HOSTILE, "scratch")}
    defective = np.concatenate(list(defects.values()))
    held_out = detector.model.held_out.scores_M
    exact = [evaluation.threshold, *values, evaluation.threshold]
    for threshold, step in zip(exact, [steps[0], *steps[6:]], strict=True):
        assert step["counts"] == {
            "rejected": f"{(good > threshold).sum()} / {len(good)}",
            "missed": f"{(defective <= threshold).sum()} / {len(defective)}",
            "held out above": f"{(held_out > threshold).sum()} / {len(held_out)}",
            "missed 0": str((defects[HOSTILE] <= threshold).sum()),
            "missed 1": str((defects["scratch"] <= threshold).sum()),
        }
    assert len({step["at"] for step in steps}) > len(values) // 2, "the line moves"
