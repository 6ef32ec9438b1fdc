"""What learning on the line does to the memory of one look: rows come, rows leave, and candidates step in."""

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.memory.bank import Bank
from blemish.memory.candidates import NOWHERE, find_candidates
from blemish.memory.cover import cover
from blemish.memory.training import TrainingPatches
from blemish.methods.look import Look
from blemish.model.journal import Edit
from blemish.model.model import look_tables, with_rows
from blemish.model.tables import Table

__all__ = ["behind", "exchange", "grown", "joined", "none_of"]


def grown(look: Look, patches: TrainingPatches, limit: float, *, removable: bool, threads: int) -> Look:
    """The look with rows so that all of these patches lie within `limit` and its bank's radius, and candidates.

    `limit` is a distance; `removable` says whether candidates are kept, no more than the bank has rows.
    """
    tables = look_tables(look)
    rows = _rows_to_add(look, patches, min(look.bank.radius, limit), threads)
    larger = with_rows(look, joined(tables["bank"], rows))
    room = len(larger.bank.image_K) - len(look.candidates.image_C)
    images = np.unique(patches.image_N).tolist()
    found = find_candidates(
        larger.bank, larger.search, patches, images, most=max(0, room) if removable else 0, threads=threads
    )
    return larger.keeping(look.candidates.joined(found))


def _rows_to_add(look: Look, patches: TrainingPatches, radius: float, threads: int) -> Table:
    """Patches that the bank needs so that all of these are within a radius of it."""
    bank = look.bank
    values_ND = np.asarray(patches.values_ND, np.float32)
    distances_N = look.search.query(values_ND, threads=threads)[0][:, 0]
    chosen = cover(values_ND, distances_N, max(0.0, radius - bank.rounding)).indices
    return {
        "rows": values_ND[chosen].astype(bank.rows_KD.dtype),
        "image": patches.image_N[chosen],
        "cell": patches.cell_N[chosen],
        **_as_late(bank, len(chosen)),
    }


def _as_late(bank: Bank, count: int) -> Table:
    """What the bank says of so many rows that come after the fit: the last radius, and the usual scale."""
    radii = {"radii": np.full(count, bank.radii_K[-1])}
    return radii if bank.scale_K is None else radii | {"scale": np.ones(count, np.float32)}


def exchange(look: Look, nearest: tuple[Floats, Ints], leave: Ints) -> dict[str, Edit]:
    """Rows of some images leave the bank, and candidates enter until they cover each other again.

    `nearest` says how far each candidate is from the bank, and the number of its nearest row.
    """
    tables = look_tables(look)
    bank, candidates = tables["bank"], tables["candidates"]
    gone_K, gone_C = np.isin(bank["image"], leave), np.isin(candidates["image"], leave)
    pool = np.flatnonzero(~gone_C)
    rows_CD = np.asarray(candidates["rows"][pool], np.float32)
    distances_C, nearest_C = nearest
    distances_C, lost = distances_C[pool], np.flatnonzero(gone_K[nearest_C[pool]])
    stayed = {name: column[~gone_K] for name, column in bank.items()}
    distances_C[lost] = _distances(look, stayed, rows_CD[lost])
    enter = pool[cover(rows_CD, distances_C, look.bank.radius).indices]
    entering: dict[str, Array] = {name: candidates[name][enter] for name in ("rows", "image", "cell")}
    entering["rows"] = entering["rows"].astype(bank["rows"].dtype)
    entering |= _as_late(look.bank, len(enter))
    return {
        "bank": (np.flatnonzero(gone_K), entering),
        "candidates": (np.union1d(np.flatnonzero(gone_C), enter), none_of(candidates)),
    }


def _distances(look: Look, bank: Table, patches_ND: Floats) -> Floats:
    """How far patches are from the rows of a table; from none, they are infinitely far."""
    if not len(bank["rows"]) or not len(patches_ND):
        return np.full(len(patches_ND), NOWHERE, np.float32)
    return with_rows(look, bank).search.query(patches_ND)[0][:, 0]


def joined(table: Table, more: Table) -> Table:
    """The rows of both."""
    return {name: np.concatenate([column, more[name]]) for name, column in table.items()}


def behind(table: Table, shorter: Table) -> Table:
    """The rows that were put behind those of a shorter table."""
    return {name: column[len(shorter[name]) :] for name, column in table.items()}


def none_of(table: Table) -> Table:
    """The table without any row."""
    return {name: column[:0] for name, column in table.items()}
