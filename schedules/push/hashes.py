"""What the store knows of a push: a digest of each record as Klaviyo has it, and the parts in flight.

A digest is written when its record has landed, in one transaction with the end of its part. So if a process dies
between sending and landing, the next run finds the part, waits for its outcome, and only then compares.
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

#: The digest of a record whose last change did not land: it has to be looked up at Klaviyo.
DOUBTFUL = b""

#: How many keys one statement takes.
KEYS_PER_STATEMENT = 1_000


class Sent(NamedTuple):
    """A row in flight. ``digest`` is hexadecimal, None if the record is to be deleted.

    ``known``: whether Klaviyo already had the record.
    """

    row: int
    key: str
    digest: str | None
    known: bool


@dataclass(frozen=True, slots=True)
class PushedRecords:
    """The records of one push on one account; ``stream`` is the name of its runs."""

    account: str
    stream: str

    @property
    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return push_hashes.c.account == self.account, push_hashes.c.kind == self.stream

    def digests(self, connection: Connection, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the digests of these records by key, as far as they have one."""
        c = push_hashes.c
        found: dict[str, bytes] = {}
        for batch in _batches(keys):
            rows = connection.execute(select(c.key, c.digest).where(*self._mine, c.key.in_(batch)))
            found |= {key: digest for key, digest in rows}
        return found

    def mark_seen(self, connection: Connection, keys: Sequence[str], run: int) -> None:
        """Note that the source still has these records."""
        for batch in _batches(keys):
            there = update(push_hashes).where(*self._mine, push_hashes.c.key.in_(batch))
            connection.execute(there.values(seen=run))

    def set_digests(self, connection: Connection, digests: dict[str, bytes], run: int, now: datetime) -> None:
        """Note that Klaviyo now has these records as in the source."""
        written = [{"account": self.account, "kind": self.stream, "key": key, "digest": digest, "sent_at": now,
                    "seen": run} for key, digest in digests.items()]  # fmt: skip
        upsert(connection, push_hashes, written)

    def forget(self, connection: Connection, keys: Sequence[str]) -> None:
        """Klaviyo no longer has these records."""
        for batch in _batches(keys):
            connection.execute(delete(push_hashes).where(*self._mine, push_hashes.c.key.in_(batch)))

    def count(self, connection: Connection, unseen_by: int | None = None) -> int:
        """Count the pushed records or, with ``unseen_by``, those that this run has not found in its source."""
        counted = select(func.count()).select_from(push_hashes).where(*self._mine)
        if unseen_by is not None:
            counted = counted.where(_unseen(unseen_by))
        return int(connection.execute(counted).scalar_one())

    def missing_keys(self, connection: Connection, run: int, after: str = "") -> list[str]:
        """Return the next keys, in order, of records that this run has not found in its source."""
        c = push_hashes.c
        chosen = select(c.key).where(*self._mine, _unseen(run), c.key > after).order_by(c.key).limit(KEYS_PER_STATEMENT)
        return list(connection.execute(chosen).scalars())

    # Parts in flight.

    def parts_in_flight(self, connection: Connection, most: int) -> list[str]:
        """Return the ids of the oldest parts in flight, ``most`` of them at most."""
        c = push_parts.c
        mine = sync_runs.c.account == self.account, sync_runs.c.stream == self.stream
        chosen = select(c.id).join(sync_runs, sync_runs.c.id == c.run).where(*mine).order_by(c.run, c.id).limit(most)
        return list(connection.execute(chosen).scalars())

    def add_part(self, connection: Connection, part: str, run: int, rows: Sequence[Sent]) -> None:
        """Record a part that is about to be sent."""
        connection.execute(insert(push_parts).values(id=part, run=run, rows=[list(row) for row in rows]))

    def settle_part(
        self, connection: Connection, part: str, lost: Collection[int] | None, counts: dict[str, int], now: datetime
    ) -> None:
        """Record the outcome of a part: all rows but the ``lost`` ones have landed; None means that none has.

        ``counts``: how many rows were ``rejected`` and ``unknown``, for the report of the part's run.
        """
        found = connection.execute(select(push_parts.c.run, push_parts.c.rows).where(push_parts.c.id == part)).one()
        run, rows = found.run, [Sent(*row) for row in found.rows]
        gone = {row.row for row in rows} if lost is None else set(lost)
        landed = [row for row in rows if row.row not in gone]
        self.set_digests(connection, {row.key: bytes.fromhex(row.digest) for row in landed if row.digest}, run, now)
        self.forget(connection, [row.key for row in landed if row.digest is None])
        for batch in _batches([row.key for row in rows if row.row in gone and row.known and row.digest]):
            doubtful = update(push_hashes).where(*self._mine, push_hashes.c.key.in_(batch))
            connection.execute(doubtful.values(digest=DOUBTFUL))
        connection.execute(delete(push_parts).where(push_parts.c.id == part))
        counted = {
            "created": sum(1 for row in landed if row.digest and not row.known),
            "updated": sum(1 for row in landed if row.digest and row.known),
            "deleted": sum(1 for row in landed if row.digest is None),
            **counts,
        }
        report: dict[str, Any] = dict(runs.get(connection, run)["report"] or {})
        report |= {name: report.get(name, 0) + count for name, count in counted.items()}
        runs.set_report(
            connection, run, report | {"landed": sum(report[name] for name in ("created", "updated", "deleted"))}
        )


def _unseen(run: int) -> ColumnElement[bool]:
    return or_(push_hashes.c.seen.is_(None), push_hashes.c.seen != run)


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + KEYS_PER_STATEMENT] for start in range(0, len(keys), KEYS_PER_STATEMENT))
