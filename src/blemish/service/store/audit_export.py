"""A file of new audit rows each day: whoever copies it elsewhere can prove what the log said, whatever happens here."""

import json
import sqlite3
from pathlib import Path

from blemish.service.clock import now
from blemish.system.whole_file import write_whole

__all__ = ["export_audit"]


def export_audit(connection: sqlite3.Connection, folder: Path) -> int:
    """Write the rows since the last file, as JSON Lines, unless today has its file; tells how many rows.

    Args:
        connection: For reading.
        folder: Where the files are, one for each day that has new rows: YYYY-MM-DD.jsonl.
    """
    path = folder / f"{now()[:10]}.jsonl"
    if path.exists():
        return 0
    rows = connection.execute("SELECT * FROM audit WHERE seq > ? ORDER BY seq", [_last(folder)]).fetchall()
    if not rows:
        return 0
    folder.mkdir(mode=0o700, exist_ok=True)
    lines = "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    write_whole(path, lines.encode())
    return len(rows)


def _last(folder: Path) -> int:
    """The number of the last row that is in a file. The newest file has it, whatever the clock said then."""
    files = list(folder.glob("*.jsonl"))
    if not files:
        return 0
    newest = max(files, key=lambda file: (file.stat().st_mtime_ns, file.name))
    return int(json.loads(newest.read_text("utf-8").splitlines()[-1])["seq"])
