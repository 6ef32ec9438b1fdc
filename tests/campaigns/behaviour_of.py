"""What this interpreter's blemish does in one case of cases.py, as JSON; same_behaviour.py runs it in a folder.

    python behaviour_of.py CASE.json ANSWER.json

It asks only for what every version has: `fit`, `load`, `inspect`, `inspect_many`, `calibrate`, `save`, the model file,
and the commands. So it must not import anything from the rooms of the package. The answer names sections (scores, maps,
...), and in each of them items with their values; arrays are told by type, shape and hash, numbers by all their digits.
"""

import hashlib
import io
import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from PIL import Image
from safetensors import safe_open

import blemish

MODEL, STRICT, CHANGED, BY_COMMAND = (Path(f"{name}.blemish") for name in ("part", "strict", "changed", "by_command"))
"""STRICT is MODEL with thresholds so low that images of every verdict and many regions are there to compare."""
FEW = 6
"""Images that are inspected again after each change, and drawn."""
OF_A_RUN = frozenset({"created", "blemish", "when", "timings", "seconds_per_image", "threads"})
"""Fields that tell of a run and not of a result."""

Items = dict[str, Any]
Answer = defaultdict[str, Items]


def main() -> None:
    case = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer: Answer = defaultdict(dict)
    if "read" in case:
        look(answer, "loaded", blemish.load(case["read"]), line_of(case), at_once=True)
    elif case["given"] == "csv":
        by_commands(answer, case)
    else:
        whole(answer, case)
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


def whole(answer: Answer, case: Mapping[str, Any]) -> None:
    """Fit, inspect, save, load, calibrate, inspect again; then the commands, on the files."""
    images, groups = fitted_images(case)
    detector = blemish.fit(images, groups=groups, **case["options"])
    line = line_of(case)
    look(answer, "fitted", detector, line)
    if case["given"] == "arrays":
        blue_first = {name: image[..., ::-1] for name, image in few(line).items()}
        look(answer, "blue first", detector, blue_first, channels="BGR")
    detector.save(MODEL)
    with_the_file(answer, case)


def with_the_file(answer: Answer, case: Mapping[str, Any]) -> None:
    """Everything that is done with the model file that was written."""
    keep_file(answer, MODEL)
    strict = blemish.calibrate(blemish.load(MODEL), false_rejects=0.1, review=0.2, who="campaign")
    strict.save(STRICT)
    look(answer, "loaded", blemish.load(STRICT), line_of(case), at_once=True)
    inspect_by_command(answer["command line"], case)
    change(answer["feedback"], case)


# Images


def fitted_images(case: Mapping[str, Any]) -> tuple[Any, list[str] | None]:
    """What the case's fit is given, and groups where it is to have some."""
    paths = files(case, "fit")
    match case["given"]:
        case "folder":
            return f"{case['data']}/fit", None
        case "groups":
            return paths, [f"part {number // 2}" for number in range(len(paths))]
        case given:
            return [source(path, given) for path in paths], None


def line_of(case: Mapping[str, Any]) -> dict[str, Any]:
    """The images to inspect, as the case gives images, by their names."""
    return {path: source(path, case["given"]) for path in files(case, "line")}


def files(case: Mapping[str, Any], folder: str) -> list[str]:
    return sorted(path.as_posix() for path in Path(case["data"], folder).iterdir())


def source(path: str, given: str) -> Any:
    """One image: its path, its bytes, its pixels, or its grey pixels spread over 16 bits."""
    match given:
        case "bytes":
            return Path(path).read_bytes()
        case "arrays":
            return np.asarray(Image.open(path).convert("RGB"))
        case "codes":
            return np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 257
        case _:
            return path


def few(line: Mapping[str, Any]) -> dict[str, Any]:
    """Some of them, evenly spread, so that good and defective ones are among them."""
    return dict(list(line.items())[:: -(-len(line) // FEW)])


# Results


def look(
    answer: Answer, way: str, detector: Any, line: Mapping[str, Any], *, at_once: bool = False, channels: str = "RGB"
) -> None:
    """Inspect each image, by itself or as one of many, and note every part of the results."""
    if at_once:
        results = detector.inspect_many(line.values(), channels=channels)
    else:
        results = (or_refused(detector, image, channels) for image in line.values())
    for name, result in zip(line, results, strict=True):
        for section, value in parts(result).items():
            answer[section][f"{way} / {name}"] = value


def or_refused(detector: Any, image: Any, channels: str) -> Any:
    """The result, or None for an image that cannot be used, such as one of another aspect where parts are aligned."""
    try:
        return detector.inspect(image, channels=channels)
    except blemish.ImageError:
        return None


def parts(result: Any) -> Items:
    """A result, by what it is about."""
    if result is None:
        return {"verdicts": "refused"}
    return {
        "scores": exact([result.score, result.threshold, result.review_threshold, result.percentile]),
        "maps": told(result.anomaly_map),
        "masks": told(result.mask),
        "regions": [
            [box.x, box.y, box.width, box.height, region.area, exact(region.score), outline(region.outline)]
            for region in result.regions
            for box in [region.box]
        ],
        "nearest": {
            "image": near(result.nearest),
            "regions": [[near(each) for each in region.nearest] for region in result.regions],
            "patches": matches(result.matches),
        },
        "verdicts": [result.path, str(result.verdict), result.error is None],
    }


def near(nearest: Any) -> Any:
    if nearest is None:
        return None
    return [nearest.path, nearest.x, nearest.y, exact(nearest.distance), [int(place) for place in nearest.at]]


def matches(found: Any) -> Any:
    if found is None:
        return None
    columns = (found.at_Q, found.image_Q, found.cell_Q, found.distance_Q)
    return [*(told(column) for column in columns), *found.grid]


def outline(corners: Iterable[tuple[int, int]]) -> str:
    return hashed(repr([(int(x), int(y)) for x, y in corners]).encode())


def told(array: Any) -> str | None:
    """An array by its type, shape and bytes; equal ones are equal bit for bit."""
    if array is None:
        return None
    return f"{array.dtype} {'x'.join(map(str, array.shape))} {hashed(np.ascontiguousarray(array).tobytes())}"


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def exact(value: Any) -> Any:
    """Numbers with all their digits, without what tells of a run; NaN is a word, so that it equals itself."""
    match value:
        case bool() | None | str() | int():
            return value
        case float() | np.floating():
            return repr(float(value))
        case dict():
            return {name: exact(each) for name, each in value.items() if name not in OF_A_RUN}
        case list() | tuple():
            return [exact(each) for each in value]
        case _:
            return str(value)


# The model file


def keep_file(answer: Answer, model: Path) -> None:
    tensors, manifest = read_file(model)
    answer["tensors"] |= tensors
    answer["manifest"] |= manifest


def read_file(model: Path) -> tuple[Items, Items]:
    """What a model file holds: its tensors, told, and the fields of its manifest."""
    with safe_open(model, framework="numpy") as file:
        tensors = {name: told(file.get_tensor(name)) for name in sorted(file.keys())}
        manifest = exact(json.loads(file.metadata()["blemish"]))
    return tensors, flat(manifest, "manifest")


def flat(fields: Mapping[str, Any], name: str) -> Items:
    """Fields within fields, one item each, so that a difference can be named."""
    items: Items = {}
    for field, value in fields.items():
        items |= flat(value, f"{name} / {field}") if isinstance(value, dict) else {f"{name} / {field}": value}
    return items


# Commands


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed on stdout."""

    code: int
    text: str

    @property
    def items(self) -> Items:
        """The exit code, and the document or, where it is none, the lines that were printed."""
        try:
            document = json.loads(self.text)
        except ValueError:
            lines = [line for line in self.text.splitlines() if line.split(" ")[0] not in OF_A_RUN]
            return {"exit code": self.code, **{f"line {number}": line for number, line in enumerate(lines)}}
        return {"exit code": self.code, **as_items(document)}


def as_items(document: Any) -> Items:
    """A JSON document, one item for each row of a list or field of an object."""
    document = exact(document)
    if isinstance(document, dict):
        return flat(document, "json")
    return {f"row {number}": row for number, row in enumerate(document)}


def command(*words: str | Path) -> Said:
    """Run `blemish WORDS`, as installed, in this process: it starts once for all commands of a case."""
    blemish_command = next(iter(entry_points(group="console_scripts", name="blemish"))).load()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: Any = 0
    with redirect_stdout(out), redirect_stderr(err), mock.patch.object(sys, "argv", ["blemish", *map(str, words)]):
        try:
            blemish_command()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(out.buffer, io.BytesIO)
    return Said(code, out.buffer.getvalue().decode())


def put(items: Items, name: str, found: Items) -> None:
    items.update({f"{name} / {item}": value for item, value in found.items()})


def inspect_by_command(items: Items, case: Mapping[str, Any]) -> None:
    """All images as JSON; some, and a damaged one, as lines, tables and pictures; and what the model is."""
    line = files(case, "line")
    some = [*few(dict.fromkeys(line)), *files(case, "damaged")]
    put(items, "inspect --json", command("inspect", STRICT, *line, "--json").items)
    drawn = [Path(name) for name in ("overlays", "reasons", "masks")]
    options = [word for folder in drawn for word in (f"--{folder}", folder)]
    put(items, "inspect", command("inspect", STRICT, *some, "--csv", "t.csv", "--jsonl", "t.jsonl", *options).items)
    put(items, "inspect --csv", dict(enumerate_lines(Path("t.csv"))))
    put(items, "inspect --jsonl", {name: exact(json.loads(row)) for name, row in enumerate_lines(Path("t.jsonl"))})
    for folder in drawn:
        pictures = sorted(path for path in folder.rglob("*") if path.is_file())
        put(items, f"inspect --{folder}", {path.name: told(np.asarray(Image.open(path))) for path in pictures})
    put(items, "info --json", command("info", MODEL, "--json").items)


def enumerate_lines(path: Path) -> list[tuple[str, str]]:
    return [(f"line {number}", line) for number, line in enumerate(path.read_text(encoding="utf-8").splitlines())]


def change(items: Items, case: Mapping[str, Any]) -> None:
    """Add, remove and calibrate by command, and take it all back; the model and its answers after each step.

    Methods that cannot learn refuse, and the exit code is what is compared.
    """
    shutil.copyfile(MODEL, CHANGED)
    line = few(line_of(case))
    for number, (step, *words) in enumerate(steps(case), start=1):
        name = f"{number} {step}"
        put(items, name, command(*step.split(), CHANGED, *words, "--json").items)
        tensors, manifest = read_file(CHANGED)
        put(items, name, {f"tensors / {tensor}": value for tensor, value in tensors.items()} | manifest)
        after: Answer = defaultdict(dict)
        look(after, name, blemish.load(CHANGED), line, at_once=True)
        for section, found in after.items():
            put(items, section, found)


def steps(case: Mapping[str, Any]) -> list[list[str]]:
    """Commands that change the model, each with its options; one more is taken back than was changed."""
    line, who = files(case, "line"), ["--who", "campaign"]
    _, second, *_, last = fitted_names(MODEL)
    good = [word for path in line[3:9] for word in ("--good", path)]
    defective = [word for path in line[-FEW:] for word in ("--defective", path)]
    return [
        ["feedback add", *line[:3], *who],
        ["feedback remove", second, last, *who],
        ["calibrate", "--false-rejects", "0.1", "--review", "0.2", *who],
        ["calibrate", *good, *defective, *who],
        ["feedback log"],
        *[["feedback undo"] for _ in range(5)],
    ]


def fitted_names(model: Path) -> list[str]:
    """The good images that a model knows, as its file names them."""
    with safe_open(model, framework="numpy") as file:
        return [image["path"] for image in json.loads(file.metadata()["blemish"])["images"]]


def by_commands(answer: Answer, case: Mapping[str, Any]) -> None:
    """The whole job without a line of Python: a CSV with labels and groups, from scan to evaluation."""
    labels, items = Path(case["data"], "labels.csv"), answer["command line"]
    put(items, "doctor CSV", command("doctor", labels, "--json").items)
    put(items, "scan", command("scan", labels, "--cutoff", "1", "--json").items)
    put(items, "fit", command("fit", labels, "-o", MODEL, "--json").items)
    put(items, "fit, options", command("fit", labels, "-o", BY_COMMAND, "--size", "96x128", "--coreset", "5%").items)
    put(items, "fit, wrong", command("fit", labels, "-o", BY_COMMAND, "--coreset", "none").items)
    put(items, "fit, options: tensors", read_file(BY_COMMAND)[0])
    put(items, "evaluate", command("evaluate", MODEL, labels, "--json").items)
    put(items, "info", command("info", MODEL).items)
    put(items, "backbone list", command("backbone", "list", "--json").items)
    put(items, "backbone info", command("backbone", "info", "efficientnet_lite0", "--json").items)
    with_the_file(answer, case)


if __name__ == "__main__":
    main()
