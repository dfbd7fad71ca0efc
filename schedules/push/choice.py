"""Selecting the rows of a source that are sent, and how: what is new, changed or gone. The rest is not sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schedules.clock import current_time
from schedules.push.hashes import DOUBTFUL, PushedRecords, Sent
from schedules.push.kinds import PushKind
from schedules.store.connection import reading, transaction
from tasks.imports.cells import tidy_cells
from tasks.imports.fields import Field
from tasks.imports.kinds import Kind as ImportKind
from tasks.imports.kinds import catalog_id
from tasks.imports.options import Options
from tasks.imports.parts import Part, Splitter
from tasks.imports.plan import Plan, compile_plan
from tasks.imports.reasons import Reasons
from tasks.imports.rows import judge
from tasks.imports.seen_keys import SeenKeys
from tasks.imports.sources import Batch, Record, Source, Unreadable
from tasks.imports.upsert import as_update, differs
from tasks.jobs.rows import parse_rows
from worker.api.filters import F
from worker.api.paging import attributes, listed

#: Ids that are looked up in one request: they have to fit into its URL.
IDS_PER_LOOKUP = 50


@dataclass(frozen=True, slots=True)
class OutgoingPart:
    """A part, the action that sends it, and what is recorded of its rows."""

    action: str
    part: Part
    rows: list[Sent]


@dataclass(slots=True)
class Tally:
    """Counts of what a run has read.

    Of the ``rows``, ``checked`` were rejected before sending and ``unchanged`` need not be sent; ``lookups`` are the
    requests made to see what Klaviyo has. ``nameless`` rows were rejected, and do not say which record they are about.
    """

    rows: int = 0
    checked: int = 0
    unchanged: int = 0
    nameless: int = 0
    lookups: int = 0
    reasons: Reasons = field(default_factory=Reasons)


class PartBuilder:
    """Collects the items of one action until they fill a part."""

    def __init__(self, kind: ImportKind, plan: Plan | None = None) -> None:
        self.kind = kind
        self._splitter = Splitter(plan or compile_plan(kind.name, None, Options()))
        self._rows: dict[int, Sent] = {}

    def add(self, sent: Sent, item: bytes) -> Iterator[OutgoingPart]:
        """Add an item; yield the part that was full before it."""
        full = list(self._splitter.add([sent.row], item))
        yield from map(self._outgoing, full)
        self._rows[sent.row] = sent

    def flush(self) -> Iterator[OutgoingPart]:
        """Yield the last part."""
        yield from map(self._outgoing, self._splitter.rest())

    def _outgoing(self, part: Part) -> OutgoingPart:
        return OutgoingPart(self.kind.action, part, [self._rows.pop(row) for row in parse_rows(part.rows)])


@dataclass(slots=True)
class Row:
    """A valid row: its number, its item as it is sent, and the key of its record."""

    number: int
    written: bytes
    item: dict[str, Any]
    key: str
    digest: bytes

    def sent(self, known: bool) -> Sent:
        """Return what is recorded of it while it is in flight."""
        return Sent(self.number, self.key, self.digest.hex(), known)


class Selection:
    """Selects for one run of a push.

    ``marks``: whether to note which records the source still has, so that `select_missing` finds the others.
    """

    def __init__(self, kind: PushKind, plan: Plan, records: PushedRecords, run: int, marks: bool) -> None:
        self._kind = kind
        self._plan = plan
        self._records = records
        self._run = run
        self._marks = marks
        self._new = PartBuilder(kind.rows, plan)
        self._changed = PartBuilder(kind.update) if kind.update else self._new
        self.tally = Tally()

    def select_changes(self, source: Source) -> Iterator[OutgoingPart | None]:
        """Yield what is new or changed, in parts, and None after each batch of rows, as a sign of progress.

        Raises:
            SourceError: the source is not what it claims to be.

        """
        seen, empty = SeenKeys(), self._nothing_is_there()
        for batch in source.batches():
            judged = judge(batch, self._plan, seen)
            items = judged.lines.split(b"\n") if judged.rows else []
            rows = [self._row(number, item) for number, item in zip(judged.rows, items, strict=True)]
            self.tally.rows += len(batch.rows)
            self._note_rejected(batch, judged.rejected)
            yield from self._choose(rows, empty)
            yield None
        for queue in (self._new, self._changed) if self._changed is not self._new else (self._new,):
            yield from queue.flush()

    def select_missing(self) -> Iterator[OutgoingPart | None]:
        """Yield the parts that delete what the source no longer has, and None after each batch."""
        assert self._kind.delete, "only a catalog's records are deleted"
        queue, number, after = PartBuilder(self._kind.delete), 0, ""
        plan = compile_plan(self._kind.delete.name, None, Options())
        while keys := self._missing_keys(after):
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
        yield from queue.flush()

    def _missing_keys(self, after: str) -> list[str]:
        with reading() as connection:
            return self._records.missing_keys(connection, self._run, after)

    def _row(self, number: int, written: bytes) -> Row:
        item = orjson.loads(written)
        return Row(number, written, item, self._kind.key(item), self._kind.digest(item))

    def _choose(self, rows: Sequence[Row], empty: bool) -> Iterator[OutgoingPart]:
        with reading() as connection:
            digests = self._records.digests(connection, [row.key for row in rows])
        if self._marks and digests:
            with transaction() as connection:
                self._records.mark_seen(connection, list(digests), self._run)
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
            now = current_time()
            with transaction() as connection:
                self._records.set_digests(connection, as_they_are, self._run, now)
        self.tally.unchanged += len(rows) - len(wanted) + len(as_they_are)

    def _look_up(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the attributes of these records by key, as far as Klaviyo has them."""
        assert self._kind.read
        read = self._kind.read.on(self._records.account, lane="bulk")
        found: dict[str, Any] = {}
        for start in range(0, len(keys), IDS_PER_LOOKUP):
            by_id = {catalog_id(key): key for key in keys[start : start + IDS_PER_LOOKUP]}
            self.tally.lookups += 1
            page = read(filter=F("ids").any(by_id), page_size=IDS_PER_LOOKUP)
            there = listed(self._kind.read.declaration, page)
            found |= {by_id[each["id"]]: attributes(each) for each in there if each["id"] in by_id}
        return found

    def _nothing_is_there(self) -> bool:
        """Return True for a first push into an empty catalog: then no record has to be looked up."""
        with reading() as connection:
            if self._kind.read is None or self._records.count(connection):
                return False
        self.tally.lookups += 1
        page = self._kind.read.on(self._records.account, lane="bulk")(page_size=1)
        return not listed(self._kind.read.declaration, page)

    # Rows that were rejected.

    def _note_rejected(self, batch: Batch, rejected: Mapping[int, str]) -> None:
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
                self._records.mark_seen(connection, keys, self._run)

    def _external_id(self, original: Record | Unreadable) -> str | None:
        """Return which record a rejected row is about, read as that of a good row: the source still has it."""
        for known, value in self._values(original):
            if known.name == "external_id" and value not in (None, ""):
                convert = self._plan.convert(known)
                with contextlib.suppress(ValueError):
                    return convert(value) if convert else str(value)
        return None

    def _values(self, original: Record | Unreadable) -> Iterator[tuple[Field, Any]]:
        """Yield what a rejected row holds, as far as it is known of which field."""
        if isinstance(original, Mapping):
            for name, value in original.items():
                with contextlib.suppress(ValueError):
                    if known := self._plan.mapped.field(name):
                        yield known, value
        elif not isinstance(original, Unreadable) and len(original) == len(self._plan.header or ()):
            cells = tidy_cells(original)
            yield from ((known, cells[place]) for place, known in self._plan.columns.items())
