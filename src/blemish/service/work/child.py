"""What runs in the child process of a job: it reads one order, reports, and ends. Its death is a failed job.

The order is a line of JSON on stdin, which stays open: where it closes, the station has ended, and so does the child.
Every line on stdout is JSON: {"progress": [step, done, total]}, then {"done": ...} or {"error": sentence}.
"""

import hashlib
import json
import os
import shutil
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from blemish.system.progress import Progress

__all__ = ["EXPORT", "MODEL", "NICE", "about", "main", "run"]

NICE = 10
MODEL, EXPORT = "model.blemish", "model.onnx"


def run(order: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Carry out an order in its folder, which becomes the working folder; gives what the station keeps of it.

    Raises BlemishError for what the user can mend.
    """
    os.chdir(order["folder"])
    for path, name in order.get("links", []):
        _link(Path(path), Path(name))
    if order["kind"] == "preview":
        from blemish.service.work.preview import preview

        return preview(order, report)
    if order["kind"] == "export":
        return _export(order, report)
    if order["kind"] == "tune":
        return _tune(order, report)
    detector = _made(order, report)
    detector.save(MODEL)
    return {
        "model": detector.model.version,
        "sha256": hashlib.sha256(Path(MODEL).read_bytes()).hexdigest(),
        "info": about(detector),
    }


def _made(order: dict[str, Any], report: Progress) -> Any:
    """The detector that an order asks for."""
    from blemish.calibrating import calibrate
    from blemish.detector import load
    from blemish.fitting import fit

    names, parts, who = order.get("images", []), order.get("parts"), order.get("who")
    if order["kind"] == "fit":
        return fit(names, groups=parts, progress=report, **order.get("options", {}))
    detector = load(order["parent"])
    if order["kind"] == "add":
        report("add", 0, len(names))
        return detector.add(names, groups=parts, who=who)
    if order["kind"] == "remove":
        return detector.remove(names, who=who)
    if order["kind"] == "calibrate":
        return calibrate(detector, names or None, groups=parts, who=who, progress=report, **order.get("options", {}))
    return detector  # of a model that was uploaded: loading has checked it


def about(detector: Any) -> dict[str, Any]:
    """What the station keeps of a version beside its file."""
    manifest = detector.manifest
    return {
        "method": manifest.method,
        "images": manifest.in_memory,
        "threshold": manifest.calibration.threshold,
        "calibration": manifest.calibration.to_dict(),
        "promise": str(manifest.calibration),
        "size": [manifest.transform.height, manifest.transform.width],
        "notes": list(detector.notes),
        "suspects": [{"name": image.path, "score": image.suspect} for image in detector.suspects],
        "held_out": sorted(float(score) for score in detector.model.held_out.scores_M),
    }


def _export(order: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Write a version as one ONNX file."""
    from blemish.detector import load
    from blemish.export.exporting import export_bytes
    from blemish.system.whole_file import write_whole

    report("export", 0, 1)
    content = export_bytes(load(order["parent"]).model)
    write_whole(Path(EXPORT), content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _tune(order: dict[str, Any], report: Progress) -> dict[str, Any]:
    from blemish.tuning.run import tune

    tuned = tune(order["images"], defective=order["defective"] or None, progress=report)
    return {"tuned": tuned.to_dict()}


def _link(path: Path, name: Path) -> None:
    """Give a picture a name in this folder, without a copy where the system can."""
    if name.exists():
        return
    try:
        os.link(path, name)
    except OSError:
        shutil.copyfile(path, name)


def _tell(stream: TextIO, **said: Any) -> None:
    stream.write(json.dumps(said) + "\n")
    stream.flush()


def _end_with_the_station() -> None:
    sys.stdin.read()
    os._exit(3)


def main() -> None:
    """Read an order, carry it out, and report."""
    from blemish.errors import BlemishError

    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints, prints to the log
    if hasattr(os, "nice"):
        os.nice(NICE)
    asked = sys.stdin.readline()
    if not asked:  # the station was killed as it started this
        return
    order = json.loads(asked)
    threading.Thread(target=_end_with_the_station, daemon=True).start()

    def report(step: str, done: int, total: int) -> None:
        _tell(said, progress=[step, done, total])

    try:
        _tell(said, done=run(order, report))
    except BlemishError as error:
        _tell(said, error=str(error))
    except MemoryError:
        _tell(said, error="There is not enough memory for this; use fewer or smaller pictures.")
    except Exception as error:  # a mistake of ours: its place goes to the log, its sentence to the job
        traceback.print_exc()
        _tell(said, error=f"The job broke off: {error}; the log says more.")


if __name__ == "__main__":
    main()
