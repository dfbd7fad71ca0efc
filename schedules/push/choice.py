"""Which rows of a source travel, and how: what is new, what has changed, what is gone. The rest stays here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schedules.clock import present
from schedules.push.hashes import DOUBTFUL, Records, Sent
from schedules.push.kinds import Kind
from schedules.store.connection import reading, transaction
from tasks.imports.kinds import Kind as Import
from tasks.imports.kinds import catalog_id
from tasks.imports.options import Options
from tasks.imports.parts import Part, Splitter
from tasks.imports.plan import Plan, compile_plan
from tasks.imports.reasons import Reasons
from tasks.imports.rows import judge
from tasks.imports.seen import Seen
from tasks.imports.sources import Batch, Record, Source, Unreadable
from tasks.imports.upsert import as_update, differs
from tasks.jobs.rows import numbers
from worker.api.filters import F
from worker.api.paging import attributes, listed

#: Ids that are looked up in one request: they have to fit into its address.
IDS = 50


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A part, the action that takes it, and what is remembered of its rows."""

    action: str
    part: Part
    rows: list[Sent]


@dataclass(slots=True)
class Tally:
    """What a run has read: rows, those turned down before anything was sent, those that need nothing to be sent.

    ``nameless`` rows were turned down, and nobody can tell which record they are about.
    """

    rows: int = 0
    checked: int = 0
    unchanged: int = 0
    nameless: int = 0
    lookups: int = 0
    reasons: Reasons = field(default_factory=Reasons)


class Queue:
    """Items of one action, until they fill a part."""

    def __init__(self, kind: Import, plan: Plan | None = None) -> None:
        self.kind = kind
        self._splitter = Splitter(plan or compile_plan(kind.name, None, Options()))
        self._rows: dict[int, Sent] = {}

    def add(self, sent: Sent, item: bytes) -> Iterator[Outgoing]:
        """Take one more; the part that was full by then."""
        full = list(self._splitter.add([sent.row], item))
        yield from map(self._outgoing, full)
        self._rows[sent.row] = sent

    def rest(self) -> Iterator[Outgoing]:
        """What is left."""
        yield from map(self._outgoing, self._splitter.rest())

    def _outgoing(self, part: Part) -> Outgoing:
        return Outgoing(self.kind.action, part, [self._rows.pop(row) for row in numbers(part.rows)])


@dataclass(slots=True)
class Row:
    """A good row: its number, its item as it travels, and what it is known by."""

    number: int
    written: bytes
    item: dict[str, Any]
    key: str
    digest: bytes

    def sent(self, known: bool) -> Sent:
        """What is remembered of it on its way."""
        return Sent(self.number, self.key, self.digest.hex(), known)


class Choice:
    """Chooses for one run of a push.

    ``marks``: whether to note which records the source still has, for `missing` to find the others.
    """

    def __init__(self, kind: Kind, plan: Plan, records: Records, run: int, marks: bool) -> None:
        self._kind = kind
        self._plan = plan
        self._records = records
        self._run = run
        self._marks = marks
        self._new = Queue(kind.rows, plan)
        self._changed = Queue(kind.update) if kind.update else self._new
        self.tally = Tally()

    def changes(self, source: Source) -> Iterator[Outgoing | None]:
        """What is new or changed, in parts; None after each batch of rows, to say that reading goes on.

        Raises:
            SourceError: the source turned out not to be what it claims.

        """
        seen, empty = Seen(), self._nothing_is_there()
        for batch in source.batches():
            judged = judge(batch, self._plan, seen)
            items = judged.lines.split(b"\n") if judged.rows else []
            rows = [self._row(number, item) for number, item in zip(judged.rows, items, strict=True)]
            self.tally.rows += len(batch.rows)
            self._turn_down(batch, judged.rejected)
            yield from self._choose(rows, empty)
            yield None
        for queue in (self._new, self._changed) if self._changed is not self._new else (self._new,):
            yield from queue.rest()

    def missing(self) -> Iterator[Outgoing | None]:
        """The deletion of what the source no longer has."""
        assert self._kind.delete, "only a catalog's records are deleted"
        queue, number, after = Queue(self._kind.delete), 0, ""
        plan = compile_plan(self._kind.delete.name, None, Options())
        while keys := self._missing(after):
            after = keys[-1]
            there = self._look_up(keys)
            with transaction() as connection:
                self._records.forget(connection, [key for key in keys if key not in there])
            keys = [key for key in keys if key in there]
            lines = plan.layout(["id"]).lines({"id": list(map(catalog_id, keys))}, len(keys)) if keys else b""
            for key, item in zip(keys, lines.split(b"\n") if keys else (), strict=True):
                number += 1
                yield from queue.add(Sent(number, key, None, known=True), item)
            yield None
        yield from queue.rest()

    def _missing(self, after: str) -> list[str]:
        with reading() as connection:
            return self._records.missing(connection, self._run, after)

    def _row(self, number: int, written: bytes) -> Row:
        item = orjson.loads(written)
        return Row(number, written, item, self._kind.key(item), self._kind.digest(item))

    def _choose(self, rows: Sequence[Row], empty: bool) -> Iterator[Outgoing]:
        with reading() as connection:
            digests = self._records.digests(connection, [row.key for row in rows])
        if self._marks and digests:
            with transaction() as connection:
                self._records.saw(connection, list(digests), self._run)
        wanted = [row for row in rows if digests.get(row.key) != row.digest]
        there: Mapping[str, Any] = {}
        if self._kind.read and not empty:
            there = self._look_up([row.key for row in wanted if digests.get(row.key, DOUBTFUL) == DOUBTFUL])
        as_they_are: dict[str, bytes] = {}
        for row in wanted:
            known = row.key in there or digests.get(row.key, DOUBTFUL) != DOUBTFUL
            if not known or not self._kind.update:
                yield from self._new.add(row.sent(known), row.written)
                continue
            change = as_update(row.item, self._kind.update)
            if row.key in there and not differs(change, there[row.key]):
                as_they_are[row.key] = row.digest
            else:
                yield from self._changed.add(row.sent(known), orjson.dumps(change))
        if as_they_are:
            now = present()
            with transaction() as connection:
                self._records.adopt(connection, as_they_are, self._run, now)
        self.tally.unchanged += len(rows) - len(wanted) + len(as_they_are)

    def _look_up(self, keys: Sequence[str]) -> dict[str, Any]:
        """The attributes of those of these records that are at Klaviyo."""
        assert self._kind.read
        read = self._kind.read.on(self._records.account, lane="bulk")
        found: dict[str, Any] = {}
        for start in range(0, len(keys), IDS):
            by_id = {catalog_id(key): key for key in keys[start : start + IDS]}
            self.tally.lookups += 1
            page = read(filter=F("ids").any(by_id), page_size=IDS)
            there = listed(self._kind.read.declaration, page)
            found |= {by_id[each["id"]]: attributes(each) for each in there if each["id"] in by_id}
        return found

    def _nothing_is_there(self) -> bool:
        """Whether this is the first push, and into an empty catalog: then no record has to be looked up."""
        with reading() as connection:
            if self._kind.read is None or self._records.count(connection):
                return False
        self.tally.lookups += 1
        page = self._kind.read.on(self._records.account, lane="bulk")(page_size=1)
        return not listed(self._kind.read.declaration, page)

    # Rows that were turned down.

    def _turn_down(self, batch: Batch, rejected: Mapping[int, str]) -> None:
        keys = []
        for row, reason in rejected.items():
            self.tally.checked += 1
            self.tally.reasons.add(reason)
            if self._marks and (key := self._external_id(batch.rows[row - batch.first])):
                keys.append(key)
            elif self._marks:
                self.tally.nameless += 1
        if keys:
            with transaction() as connection:
                self._records.saw(connection, keys, self._run)

    def _external_id(self, original: Record | Unreadable) -> str | None:
        """Which record a row is about that was turned down: it is in the source all the same."""
        if isinstance(original, Unreadable):
            return None
        if isinstance(original, Mapping):
            for name, value in original.items():
                with contextlib.suppress(ValueError):
                    found = self._plan.mapped.field(name)
                    if found and found.name == "external_id" and value not in (None, ""):
                        return str(value)
            return None
        places = [place for place, each in self._plan.columns.items() if each.name == "external_id"]
        whole = len(original) == len(self._plan.header or ())
        return (original[places[0]] or None) if places and whole else None
