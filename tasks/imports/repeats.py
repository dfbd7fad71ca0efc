"""Duplicates: rows that lost to an earlier row with the same key must not win by being imported from the reject file.

The file marks such a row by a stage with a digest of its key. While the key is the same, the row stays rejected; once
its key was changed, or its stage emptied, it is a row like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from tasks.imports.grid import Grid
from tasks.imports.sources import REJECT_COLUMNS, Batch, TurnedDown, count_reject_columns

#: The prefix of a duplicate's stage.
DUPLICATE = "duplicate "

_STAGE = REJECT_COLUMNS.index("stage")


def stage_of(key: str) -> str:
    """Return the stage of a duplicate with this key."""
    return f"{DUPLICATE}{blake2b(key.encode(), digest_size=6).hexdigest()}"


def stages_of_losers(batch: Batch, header: Sequence[str] | None) -> Mapping[int, str]:
    """Return the rows of a reject file that are marked as duplicates, by number, each with its stage."""
    if header is None:
        stages = [row.stage if isinstance(row, TurnedDown) else "" for row in batch.rows]
    elif not count_reject_columns(header):
        return {}
    elif isinstance(batch.rows, Grid):
        stages = list(batch.rows.column(_STAGE))
    else:
        stages = [row[_STAGE] if isinstance(row, Sequence) and len(row) > _STAGE else "" for row in batch.rows]
    return {batch.first + place: stage for place, stage in enumerate(stages) if stage.startswith(DUPLICATE)}
