"""Finished cells, one JSON file each, so that an interrupted run goes on where it was."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blemish.reproduction.cell import Cell
from blemish.reproduction.measure import Measured
from blemish.system.whole_file import write_whole

__all__ = ["FinishedCells"]


class FinishedCells:
    """A folder of answers; a cell whose question has changed in any way is another cell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, cell: Cell) -> Measured | None:
        """The answer of a finished cell; None where there is none that can be read."""
        question = cell.question()
        try:
            kept = json.loads(self._path(cell, question).read_text(encoding="utf-8"))
            return Measured.model_validate(kept["answer"]) if kept["question"] == question else None
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def keep(self, cell: Cell, answer: Measured) -> None:
        """Write an answer, whole or not at all."""
        question = cell.question()
        text = json.dumps({"question": question, "answer": answer.model_dump(mode="json")}, indent=1)
        write_whole(self._path(cell, question), text.encode())

    def _path(self, cell: Cell, question: dict[str, Any]) -> Path:
        """A name that people can read, told apart by the question's hash."""
        settings = question["settings"]
        words = [cell.task.name, settings.get("method", ""), cell.shots and f"{cell.shots} shots", f"seed {cell.seed}"]
        name = re.sub(r"[^a-z0-9]+", "-", " ".join(filter(None, words)).lower()).strip("-")
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{name}-{digest[:10]}.json"
