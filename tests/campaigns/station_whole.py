"""What must be there after a station was killed again and again: all that was acknowledged, nothing half made."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from blemish.service.store.audit import verify_folder
from campaigns.station_lives import Outcome

__all__ = ["check"]


def check(data: Path, outcome: Outcome) -> None:
    """Compare what was acknowledged with what is there; what is wrong is added to the outcome."""
    with closing(sqlite3.connect(data / "station.db")) as connection:
        connection.row_factory = sqlite3.Row
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if whole != "ok":
            outcome.wrong.append(f"integrity_check: {whole}")
        _check_rows(connection, outcome)
        _check_versions(connection, data, outcome)
        _check_pictures(connection, data, outcome)
    if verify_folder(data).wrong is not None:
        outcome.wrong.append("the audit log is not whole")


def _check_rows(connection: sqlite3.Connection, outcome: Outcome) -> None:
    rows = {row["idempotency"]: row for row in connection.execute("SELECT * FROM inspection")}
    count = connection.execute("SELECT count(*) FROM inspection").fetchone()[0]
    if count != len(rows):
        outcome.wrong.append(f"{count - len(rows)} rows are doubled")
    for key, answer in outcome.acknowledged.items():
        row = rows.get(key)
        told = answer["id"], answer["score"], answer["version"]
        if row is None or (row["id"], row["score"], row["version"]) != told:
            outcome.wrong.append(f"{key}: acknowledged as {answer['id']}, but not there as such")
        elif row["image_sha"] != outcome.pictures[key]:
            outcome.wrong.append(f"{key}: its row is of another picture")
    counted = connection.execute("SELECT sum(count) FROM hour").fetchone()[0]
    if counted != count:
        outcome.wrong.append(f"hours count {counted} parts, but there are {count} rows")


def _check_versions(connection: sqlite3.Connection, data: Path, outcome: Outcome) -> None:
    """The version on line is the one promoted last, and every model file that is listed is there, whole."""
    champion = connection.execute("SELECT champion FROM recipe").fetchone()[0]
    promoted = [row["version"] for row in connection.execute("SELECT version FROM promotion ORDER BY seq")]
    if champion != promoted[-1]:
        outcome.wrong.append("the version on line is not the one promoted last")
    rest = iter(promoted)
    if not all(version in rest for version in outcome.promoted):
        outcome.wrong.append("a promotion that was acknowledged is not there")
    for row in connection.execute("SELECT * FROM version"):
        file = data / "models" / row["recipe"] / f"{row['id']}-{row['sha256'][:16]}.blemish"
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != row["sha256"]:
            outcome.wrong.append(f"the model of version {row['number']} is not what was written")
    if any((data / "work").iterdir()):
        outcome.wrong.append("half-made models are left")


def _check_pictures(connection: sqlite3.Connection, data: Path, outcome: Outcome) -> None:
    """Every picture that is listed is there, whole; and what learning needs, or a row calls stored, is listed."""
    listed = {row["sha256"]: row["suffix"] for row in connection.execute("SELECT * FROM picture")}
    for sha256, suffix in listed.items():
        file = data / "images" / sha256[:2] / f"{sha256}{suffix}"
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            outcome.wrong.append(f"the picture {sha256} is listed, but not there as it was sent")
    needed = "SELECT sha256 FROM training UNION SELECT image_sha FROM inspection WHERE image_state = 'stored'"
    missing = sum(row[0] not in listed for row in connection.execute(needed))
    if missing:
        outcome.wrong.append(f"{missing} pictures that are kept are not listed")
