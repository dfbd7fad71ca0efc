"""Rows that lost to an earlier one of the same key: they do not win by being imported from the reject file.

Such a row says so in the file, by a stage that holds a digest of its key. As long as the key is the same, so is the
verdict; once somebody has given the row another key, or emptied its stage, it is a row like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from tasks.imports.grid import Grid
from tasks.imports.sources import REJECT_COLUMNS, Batch, TurnedDown, added_columns

#: Begins the stage of a row that an earlier one has beaten.
REPEATED = "duplicate "

_STAGE = REJECT_COLUMNS.index("stage")


def stage_of(key: str) -> str:
    """The stage of a row that has lost to an earlier one with this key."""
    return f"{REPEATED}{blake2b(key.encode(), digest_size=6).hexdigest()}"


def lost_before(batch: Batch, header: Sequence[str] | None) -> Mapping[int, str]:
    """The rows of a reject file that say that they have lost, by number, each with its stage."""
    if header is None:
        said = [row.stage if isinstance(row, TurnedDown) else "" for row in batch.rows]
    elif not added_columns(header):
        return {}
    elif isinstance(batch.rows, Grid):
        said = list(batch.rows.column(_STAGE))
    else:
        said = [row[_STAGE] if isinstance(row, Sequence) and len(row) > _STAGE else "" for row in batch.rows]
    return {batch.first + place: stage for place, stage in enumerate(said) if stage.startswith(REPEATED)}
