"""What the store knows of a push: the digest of what Klaviyo has of each record, and the parts that are on their way.

A digest is written when its record has landed, in one transaction with the end of its part. So whatever dies between
sending and landing, the next run finds the part, waits for what became of it, and only then compares.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from schedules.store import runs
from schedules.store.rows import upsert
from schedules.store.tables import push_hashes, push_parts, sync_runs

#: The digest of a record whose last change did not land: what Klaviyo has of it has to be looked up.
DOUBTFUL = b""

#: Keys in one statement.
AT_ONCE = 1_000


class Sent(NamedTuple):
    """A row on its way. ``digest`` is in hexadecimal, None where the record is to be deleted.

    ``known``: whether it was at Klaviyo before.
    """

    row: int
    key: str
    digest: str | None
    known: bool


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one push on one account; ``stream`` is the name of its runs."""

    account: str
    stream: str

    @property
    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return push_hashes.c.account == self.account, push_hashes.c.kind == self.stream

    def digests(self, connection: Connection, keys: Sequence[str]) -> dict[str, bytes]:
        """The digests of those of these records that have one."""
        c = push_hashes.c
        found: dict[str, bytes] = {}
        for some in _some(keys):
            rows = connection.execute(select(c.key, c.digest).where(*self._mine, c.key.in_(some)))
            found |= {key: digest for key, digest in rows}
        return found

    def saw(self, connection: Connection, keys: Sequence[str], run: int) -> None:
        """The source still has these records."""
        for some in _some(keys):
            there = update(push_hashes).where(*self._mine, push_hashes.c.key.in_(some))
            connection.execute(there.values(seen=run))

    def adopt(self, connection: Connection, digests: dict[str, bytes], run: int, now: datetime) -> None:
        """Klaviyo has these records as they are to be."""
        written = [{"account": self.account, "kind": self.stream, "key": key, "digest": digest, "sent_at": now,
                    "seen": run} for key, digest in digests.items()]  # fmt: skip
        upsert(connection, push_hashes, written)

    def forget(self, connection: Connection, keys: Sequence[str]) -> None:
        """Klaviyo no longer has these records."""
        for some in _some(keys):
            connection.execute(delete(push_hashes).where(*self._mine, push_hashes.c.key.in_(some)))

    def count(self, connection: Connection, unseen_by: int | None = None) -> int:
        """How many records have been pushed; of these, those that a run has not found in its source."""
        counted = select(func.count()).select_from(push_hashes).where(*self._mine)
        if unseen_by is not None:
            counted = counted.where(_unseen(unseen_by))
        return int(connection.execute(counted).scalar_one())

    def missing(self, connection: Connection, run: int, after: str = "") -> list[str]:
        """The next keys, in their order, of records that this run has not found in its source."""
        c = push_hashes.c
        chosen = select(c.key).where(*self._mine, _unseen(run), c.key > after).order_by(c.key).limit(AT_ONCE)
        return list(connection.execute(chosen).scalars())

    # Parts on their way.

    def on_their_way(self, connection: Connection, most: int) -> list[str]:
        """The ids of the oldest parts of which it is not known what became of them."""
        c = push_parts.c
        mine = sync_runs.c.account == self.account, sync_runs.c.stream == self.stream
        chosen = select(c.id).join(sync_runs, sync_runs.c.id == c.run).where(*mine).order_by(c.run, c.id).limit(most)
        return list(connection.execute(chosen).scalars())

    def send(self, connection: Connection, part: str, run: int, rows: Sequence[Sent]) -> None:
        """A part is about to be sent."""
        connection.execute(insert(push_parts).values(id=part, run=run, rows=[list(row) for row in rows]))

    def land(
        self, connection: Connection, part: str, lost: Collection[int] | None, told: dict[str, int], now: datetime
    ) -> None:
        """It is known what became of a part: all rows but the ``lost`` ones have landed; None: none has.

        ``told`` are the numbers of rows that were ``rejected`` and ``unknown``, for the report of the part's run.
        """
        found = connection.execute(select(push_parts.c.run, push_parts.c.rows).where(push_parts.c.id == part)).one()
        run, rows = found.run, [Sent(*row) for row in found.rows]
        gone = {row.row for row in rows} if lost is None else set(lost)
        landed = [row for row in rows if row.row not in gone]
        self.adopt(connection, {row.key: bytes.fromhex(row.digest) for row in landed if row.digest}, run, now)
        self.forget(connection, [row.key for row in landed if row.digest is None])
        for some in _some([row.key for row in rows if row.row in gone and row.known and row.digest]):
            doubtful = update(push_hashes).where(*self._mine, push_hashes.c.key.in_(some))
            connection.execute(doubtful.values(digest=DOUBTFUL))
        connection.execute(delete(push_parts).where(push_parts.c.id == part))
        counted = {
            "created": sum(1 for row in landed if row.digest and not row.known),
            "updated": sum(1 for row in landed if row.digest and row.known),
            "deleted": sum(1 for row in landed if row.digest is None),
            **told,
        }
        report: dict[str, Any] = dict(runs.run(connection, run)["report"] or {})
        report |= {name: report.get(name, 0) + count for name, count in counted.items()}
        runs.note(connection, run, report | {"landed": sum(report[name] for name in ("created", "updated", "deleted"))})


def _unseen(run: int) -> ColumnElement[bool]:
    return or_(push_hashes.c.seen.is_(None), push_hashes.c.seen != run)


def _some(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))
