"""Which parts of an import are sent, which are sent again when it is taken up again, and which never are."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import redis

from tasks.imports import rejects as rejecting
from tasks.imports import report as reporting
from tasks.imports import run as running
from tasks.imports import sending
from tasks.imports.options import Options
from tasks.imports.parts import Part
from tasks.imports.rejects import RejectsNotWritten
from tasks.imports.run import Import, run_import
from tasks.imports.sending import (
    MAX_WAITING_PARTS,
    AnotherSource,
    PartsForgotten,
    RunForgotten,
    Sender,
    Stopped,
    withdraw_parts,
)
from tasks.imports.upsert import Routed
from tasks.jobs import isolate as isolating
from tasks.jobs import withdraw as withdrawing
from tasks.jobs.import_runs import Run, Runs
from tasks.jobs.isolate import MAX_HALVED_PARTS, isolate
from tasks.jobs.kinds import JOB_KINDS
from tasks.jobs.ledger import JobOutcome, Ledger
from tasks.jobs.records import records
from worker.errors import BadRequest, Forbidden, InputError, SourceError
from worker.redis import replicas
from worker.redis.connection import NotReplicated
from worker.redis.patience import asking_redis_once
from worker.settings import get_settings

ACTION = "bulk_import_profiles"
KIND = JOB_KINDS[ACTION]
LEASE = 75_000


class Sending:
    """One run whose parts are handed to a real ledger."""

    def __init__(self, client: redis.Redis) -> None:
        self.ledger, self.runs = Ledger(client), Runs(client)
        self.run = self.runs.begin("R", "profiles", "default", "customers.csv", {"path": "/x"})
        self.published: list[str] = []
        self.stop = False
        self.pauses: list[Callable[[], None]] = []
        self.sender = self.taken_up()

    def taken_up(self) -> Sender:
        """Whoever sends the run from here on."""
        return Sender(self.run, "bulk", lambda: self.stop, lambda seconds: self.pauses.pop(0)())

    def send(self, number: int = 1, rows: str = "1-4", action: str = ACTION, body: bytes | None = None) -> str:
        items = [{"type": "profile", "attributes": {"email": f"{n}@example.com"}} for n in range(4)]
        made = body or orjson.dumps({"data": {"type": "x", "attributes": {"profiles": {"data": items}}}})
        self.sender.send(action, Part(number, made, rows), 4)
        return f"R-{number:06d}"

    def end(self, id: str, status: str, how: str = "accepted", **failure: Any) -> None:
        """It ends so, at Klaviyo or before."""
        self.ledger.mark_sending(id, LEASE, "holder")
        if how == "accepted":
            self.ledger.accept(id, f"K-{id}", True)
        self.ledger.end(id, status)
        found = {"status": status, "kind": ACTION, "account": "default", "id": None, **failure}
        self.ledger.settle(
            id, JobOutcome(status, found, landed=4 * (status == "complete"), unknown=4 * (status != "complete"))
        )

    def now(self) -> Any:
        return self.runs.run("R")


@pytest.fixture
def at(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Sending:
    made = Sending(client)
    for module in (sending, isolating):
        monkeypatch.setattr(module, "get_ledger", lambda: made.ledger)
        monkeypatch.setattr(module, "get_runs", lambda: made.runs)
        monkeypatch.setattr(module, "go_on", lambda *ids, **_: made.published.extend(ids))
    monkeypatch.setattr(withdrawing, "get_ledger", lambda: made.ledger)
    monkeypatch.setattr(withdrawing, "go_on", lambda *ids: made.published.extend(ids))
    return made


def test_a_part_is_sent_once_however_often_its_run_is_taken_up(at: Sending):
    id = at.send()
    at.taken_up()
    at.send()
    at.end(id, "complete")
    at.sender = at.taken_up()
    at.send()

    assert at.published == [id]
    assert (at.now().parts, at.now().landed) == (1, 4)


@pytest.mark.parametrize("status", ["refused", "cancelled", "vanished", "stuck"])
def test_a_part_that_has_not_landed_is_sent_again_and_counted_once(at: Sending, status: str):
    id = at.send()
    at.end(id, status, "accepted")
    at.sender = at.taken_up()

    at.send()

    assert at.published == [id, id]
    assert (at.now().parts, at.now().settled, at.now().unknown) == (1, 0, 0)
    assert at.ledger.job(id).state == "spawning"


def test_a_part_whose_outcome_is_unknown_is_not_sent_again(at: Sending):
    id = at.send()
    at.end(id, "unknown", "not accepted")
    at.sender = at.taken_up()

    at.send()

    assert at.published == [id]


def test_a_part_that_was_taken_back_is_sent_again(at: Sending):
    id = at.send()
    assert withdraw_parts("R") == 1
    at.sender = at.taken_up()

    at.send()

    assert at.published == [id, id]


def test_a_run_whose_source_has_changed_is_not_gone_on_with(at: Sending):
    at.send()
    at.sender = at.taken_up()

    with pytest.raises(SourceError, match="it has changed since run R began, somewhere in rows 1 to 4; import it as"):
        at.send(body=b'{"data": {}}')


def test_an_import_that_is_stopped_takes_no_more_parts(at: Sending):
    at.stop = True

    with pytest.raises(Stopped):
        at.send()
    assert at.published == []


def test_no_more_parts_wait_than_may(at: Sending):
    for number in range(1, MAX_WAITING_PARTS + 1):
        at.send(number)
    waited = []
    at.pauses = [lambda: at.end("R-000001", "complete"), lambda: waited.append(len(at.published))]

    at.send(MAX_WAITING_PARTS + 1)

    assert waited == [MAX_WAITING_PARTS]
    assert len(at.published) == MAX_WAITING_PARTS + 1


def test_what_no_part_would_be_spared_ends_the_import(at: Sending):
    id = at.send()
    at.ledger.mark_sending(id, LEASE, "holder")
    forbidden = Forbidden(ACTION, "default", 403, [])
    failure = {"type": "Forbidden", "args": list(forbidden.args)}
    at.ledger.end(id, "refused", failure=failure)
    at.ledger.settle(
        id, JobOutcome("refused", {"status": "refused", "kind": ACTION, "account": "default", "failure": failure})
    )

    with pytest.raises(Forbidden):
        at.sender.check_waiting()


def test_a_part_that_must_not_be_sent_twice_says_what_to_look_at(at: Sending):
    items = [{"type": "coupon-code", "attributes": {"unique_code": "A"}}]
    id = at.send(action="bulk_subscribe_profiles", body=orjson.dumps({"data": items}))

    spawn = JOB_KINDS["bulk_subscribe_profiles"].spawn.declaration
    assert at.ledger.job(id).once == ("" if spawn.repeat.blindly else spawn.repeat.note)
    assert not spawn.repeat.blindly


def refused(*places: int) -> BadRequest:
    pointers = [{"pointer": f"/data/attributes/profiles/data/{place}/attributes/email"} for place in places]
    return BadRequest(ACTION, "default", 400, [{"detail": "No.", "source": each} for each in pointers])


def test_records_that_klaviyo_points_at_are_set_aside_and_the_others_keep_their_rows(at: Sending):
    id = at.send(rows="11-13,20")
    at.ledger.mark_sending(id, LEASE, "holder")

    assert isolate(at.ledger.job(id), KIND, refused(1))

    job = at.ledger.job(id)
    assert (job.rows, job.items, job.tries) == ("11,13,20", 3, 1)
    assert len(records(at.ledger.request(id).body, KIND.path)) == 3
    assert [each["row"] for each in at.ledger.rejects_of(id)] == [12]


def test_where_klaviyo_points_at_every_record_the_whole_part_is_at_fault(at: Sending):
    id = at.send()
    at.ledger.mark_sending(id, LEASE, "holder")

    assert not isolate(at.ledger.job(id), KIND, refused(0, 1, 2, 3))
    assert at.ledger.rejects_of(id) == []


def test_halves_of_a_refused_part_hold_its_rows_and_are_taken_up_again_by_themselves(at: Sending):
    id = at.send(rows="11-13,20")
    at.ledger.mark_sending(id, LEASE, "holder")

    assert isolate(at.ledger.job(id), KIND, refused())
    at.ledger.settle(id, JobOutcome("split", {}))
    assert [at.ledger.job(f"{id}{half}").rows for half in "ab"] == ["11-12", "13,20"]
    at.end(f"{id}a", "complete")
    at.end(f"{id}b", "cancelled")
    at.published.clear()
    at.sender = at.taken_up()
    at.send(rows="11-13,20")

    assert at.published == [f"{id}b"]
    sent = records(at.ledger.request(f"{id}b").body, KIND.path)
    assert [each["attributes"]["email"] for each in sent] == ["2@example.com", "3@example.com"]


def test_a_run_is_not_halved_for_ever(at: Sending):
    id = at.send()
    at.ledger.mark_sending(id, LEASE, "holder")
    for _ in range(MAX_HALVED_PARTS):
        at.runs.count_halved_part("R")

    assert not isolate(at.ledger.job(id), KIND, refused())


@pytest.mark.parametrize("error", ["BadRequest", "TooLarge", "Conflict"])
def test_a_part_that_klaviyo_refused_for_its_records_sake_is_not_sent_again(at: Sending, error: str):
    id = at.send()
    at.ledger.mark_sending(id, LEASE, "holder")
    at.ledger.end(id, "refused", failure={"type": error, "args": [ACTION, "default", 400, []]})
    at.ledger.settle(id, JobOutcome("refused", {"status": "refused"}, rejected=4))
    at.sender = at.taken_up()

    at.send()

    assert at.published == [id]


@pytest.fixture
def people(at: Sending, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean_settings: None) -> Callable[..., Import]:
    """An import of these addresses, each in a part of its own, whose jobs are the test's to end."""
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    get_settings.cache_clear()
    monkeypatch.setattr(running, "PAUSE_S", 0.0)
    for module in (running, reporting, rejecting):
        monkeypatch.setattr(module, "get_runs", lambda: at.runs)
    for module in (running, reporting, rejecting):
        monkeypatch.setattr(module, "get_ledger", lambda: at.ledger)

    def make(*addresses: str) -> Import:
        source = tmp_path / "people.csv"
        source.write_text("\n".join(["email", *addresses]) + "\n")
        return Import("profiles", source)

    return make


def completed(at: Sending) -> Callable[[Run], None]:
    """What ends every job of a run as soon as it is there."""

    def look(run: Run) -> None:
        for id in at.runs.jobs(run.id):
            if at.ledger.job(id).state == "spawning":  # type: ignore[union-attr]
                at.end(id, "complete")

    return look


def test_a_refusal_leaves_what_is_known_of_a_run_that_has_ended(at: Sending, people: Callable[..., Import]):
    run_import(people("ada@example.com", "malformed"), run="P", progress=completed(at))
    before = at.runs.run("P")
    assert before is not None
    assert (before.state, before.rows, bool(before.rejects)) == ("complete", 2, True)

    with pytest.raises(AnotherSource, match="somewhere in rows 1 to 3"):
        run_import(people("ada@example.com", "malformed", "grace@example.com"), run="P")

    assert at.runs.run("P") == before
    assert Path(before.rejects).is_file()


def test_every_row_that_a_cancelled_run_has_read_is_accounted_for(
    at: Sending, people: Callable[..., Import], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(running, "PAUSE_S", 3600.0)

    def cancel(run: Run) -> None:
        for id in at.runs.jobs(run.id):
            at.runs.cancel(run.id)
            assert at.ledger.job(id) is not None

    with pytest.raises(Stopped):
        run_import(
            people("ada@example.com", "malformed", "grace@example.com"),
            run="P",
            progress=cancel,
            stop=lambda: bool(at.runs.jobs("P")),
        )

    now = at.runs.run("P")
    assert now is not None
    assert (now.state, now.rows, now.checked, now.withdrawn, now.on_their_way) == ("cancelled", 3, 1, 2, 0)


def test_events_without_a_time_have_that_of_the_first_try_when_a_run_is_taken_up_again(
    at: Sending, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clean_settings: None
):
    monkeypatch.setenv("KLAVIYO_API_KEY", "pk_test")
    get_settings.cache_clear()
    for module in (running, reporting):
        monkeypatch.setattr(module, "get_runs", lambda: at.runs)
    source = tmp_path / "events.csv"
    source.write_text("email,metric\nada@example.com,Opened\n")

    for minute in (1, 2):
        moment = datetime(2026, 11, 24, 12, minute, tzinfo=UTC)
        wanted = Import("events", source, Options(moment=moment))
        with pytest.raises(Stopped):
            run_import(wanted, run="E", rejects=tmp_path / "rejects.csv", stop=lambda: True)

    assert at.runs.run("E").asked["options"]["moment"] == "2026-11-24T12:01:00+00:00"  # type: ignore[union-attr]


def test_an_import_whose_parts_a_failover_has_lost_is_not_complete(
    at: Sending, people: Callable[..., Import], client: redis.Redis
) -> None:
    def lose(run: Run) -> None:
        """As a replica has it that was behind, and is the primary now."""
        client.zremrangebyrank(f"klaviyo:run:{run.id}:parts", 0, -1)
        client.hdel(f"klaviyo:run:{run.id}", "parts")

    with pytest.raises(PartsForgotten, match=r"lost 1 of the parts of import P, .* --run P to send what has not"):
        run_import(people("ada@example.com"), run="P", progress=lose)

    found = at.runs.run("P")
    assert found is not None
    assert found.state == "failed"


def test_a_run_of_whose_parts_the_outcome_is_forgotten_is_not_resumed(
    at: Sending, people: Callable[..., Import], client: redis.Redis
) -> None:
    wanted = people("ada@example.com")
    run_import(wanted, run="P", progress=turned_down(at))
    ended = at.runs.run("P")
    client.delete("klaviyo:job:P-000001")

    with pytest.raises(InputError, match=r"run P cannot be resumed, .* of 1 of its parts .*: start a new run"):
        run_import(wanted, run="P")

    assert at.runs.run("P") == ended
    assert at.ledger.job("P-000001") is None


def test_the_halves_of_one_part_do_not_stand_for_another_that_a_failover_has_lost(
    at: Sending, client: redis.Redis
) -> None:
    split, lost = at.send(1), at.send(2)
    at.ledger.mark_sending(split, LEASE, "holder")
    assert isolate(at.ledger.job(split), KIND, refused())
    client.zrem("klaviyo:run:R:parts", lost)
    client.hincrby("klaviyo:run:R", "parts", -1)

    with pytest.raises(PartsForgotten, match="lost 1 of the parts of import R"):
        at.sender.require_all()


def test_an_import_that_redis_has_lost_ends_with_a_sentence(
    at: Sending, people: Callable[..., Import], client: redis.Redis
) -> None:
    with pytest.raises(RunForgotten, match=r"Redis has lost import P, .*: import the rows again"):
        run_import(people("ada@example.com"), run="P", progress=lambda run: client.flushall())


@pytest.mark.parametrize("enter", ["run", "part"])
def test_what_an_import_enters_is_over_only_when_replicas_have_it(
    at: Sending, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, enter: str
) -> None:
    monkeypatch.setattr(replicas, "get_settings", lambda: SimpleNamespace(redis_replicas=1))
    monkeypatch.setitem(client.connection_pool.connection_kwargs, "socket_timeout", 0.05)

    def entered(number: int) -> None:
        if enter == "part":
            at.send(number)
        else:
            at.runs.begin(f"S{number}", "profiles", "default", "customers.csv", {})

    with asking_redis_once(), pytest.raises(NotReplicated, match="0 of 1 replicas"):
        entered(1)

    # What a worker enters, for a push, holds up none of its threads.
    monkeypatch.setattr(replicas, "working", SimpleNamespace(is_set=lambda: True))
    with asking_redis_once():
        entered(2)


def turned_down(at: Sending, then: Callable[[], object] = lambda: None) -> Callable[[Run], None]:
    """What has Klaviyo turn down the first row of a run's first part, and does something else after that."""

    def look(run: Run) -> None:
        for id in at.runs.jobs(run.id):
            if at.ledger.job(id).state == "spawning":  # type: ignore[union-attr]
                at.ledger.mark_sending(id, LEASE, "holder")
                at.ledger.accept(id, f"K-{id}", True)
                at.ledger.end(id, "complete")
                sent = {"type": "profile", "attributes": {"email": "ada@example.com"}}
                rejects = [{"row": 1, "stage": "job", "reason": "Klaviyo said no", "sent": sent}]
                at.ledger.settle(id, JobOutcome("complete", {"status": "complete"}, rejected=1, rejects=rejects))
                then()

    return look


def replace_file(path: Path, text: str) -> None:
    """Put another file in the place of one, as an editor or a nightly export does."""
    other = path.with_name("other")
    other.write_text(text)
    other.replace(path)


@pytest.mark.parametrize("then", ["email\neve@example.com\n", "email\n", "no such column\n1\n2\n", None])
def test_other_rows_never_stand_beside_klaviyos_reasons_where_a_file_was_replaced_meanwhile(
    at: Sending, people: Callable[..., Import], tmp_path: Path, then: str | None
):
    wanted, source = people("ada@example.com"), tmp_path / "people.csv"

    def change() -> None:
        source.unlink() if then is None else replace_file(source, then)

    report = run_import(wanted, run="P", progress=turned_down(at, change))

    assert report.rejects is not None
    assert Path(report.rejects).read_text().splitlines() == ["row,stage,reason,email", "1,job,Klaviyo said no"]
    assert report.note.startswith("people.csv has changed since this import began, so the rows that Klaviyo rejected")
    assert report.reasons == (("Klaviyo said no", 1),)
    run = at.runs.run("P")
    assert run is not None
    assert (run.state, run.reason) == ("complete", report.note)


def test_rows_of_json_lines_that_were_replaced_meanwhile_are_written_as_they_were_sent(
    at: Sending, people: Callable[..., Import], tmp_path: Path
):
    people()
    source = tmp_path / "people.jsonl"
    source.write_text('{"email": "ada@example.com"}\n')

    def change() -> None:
        replace_file(source, '{"email": "eve@example.com"}\n')

    report = run_import(Import("profiles", source), run="P", progress=turned_down(at, change))

    assert report.rejects is not None
    assert "ada@example.com" in Path(report.rejects).read_text()
    assert "eve@example.com" not in Path(report.rejects).read_text()
    assert "as they were sent" in report.note


def test_rows_of_an_unchanged_file_are_written_as_they_are_there(at: Sending, people: Callable[..., Import]):
    report = run_import(people("Ada@example.com"), run="P", progress=turned_down(at))

    assert report.rejects is not None
    assert Path(report.rejects).read_text().splitlines()[1:] == ["1,job,Klaviyo said no,Ada@example.com"]
    assert report.note == ""


@pytest.mark.parametrize("kind", ["profiles", "upsert_catalog_items"])
@pytest.mark.parametrize("when", ["opened", "written", "closed"])
def test_a_run_whose_reject_file_cannot_be_written_has_ended_and_says_how_to_have_it(
    at: Sending, people: Callable[..., Import], monkeypatch: pytest.MonkeyPatch, kind: str, when: str
):
    full = OSError(errno.ENOSPC, "No space left on device")

    @contextmanager
    def open_reject_file(path: Path, source: object) -> Iterator[Callable[[object], None]]:
        def write(row: object) -> None:
            if when == "written":
                raise full

        if when == "opened":
            raise full
        yield write
        if when == "closed":
            raise full

    monkeypatch.setattr(rejecting, "open_reject_file", open_reject_file)
    monkeypatch.setattr(running, "route", lambda made, plan, account: (Routed(ACTION, each) for each in made))
    wanted = people("ada@example.com")
    if kind != "profiles":
        wanted.rows.write_text("external_id,title,description,url\n1,One,The first,https://shop.example/1\n")
        wanted = replace(wanted, kind=kind)

    report = run_import(wanted, run="P", progress=turned_down(at))

    assert report.state == "complete"
    assert (report.rejected, report.reasons) == (1, (("Klaviyo said no", 1),))
    assert "The reject file people.P.rejects.csv cannot be written: No space left on device." in report.note
    assert ("--run P" in report.note) == (kind == "profiles")
    run = at.runs.run("P")
    assert run is not None
    assert (run.state, run.reason) == ("complete", report.note)


def test_a_full_disk_while_rows_are_read_ends_the_run_with_a_sentence(
    at: Sending, people: Callable[..., Import], monkeypatch: pytest.MonkeyPatch
):
    def open_reject_file(path: Path, source: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rejecting, "open_reject_file", open_reject_file)

    with pytest.raises(
        RejectsNotWritten, match=r"reject file people\.P\.rejects\.csv cannot be written: No space left on device"
    ):
        run_import(people("malformed"), run="P")

    assert at.runs.run("P").state == "failed"  # type: ignore[union-attr]


def test_an_unforeseen_error_in_writing_the_reject_file_does_not_leave_a_run_running(
    at: Sending, people: Callable[..., Import], monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(rejecting, "read_originals", fail)

    with pytest.raises(LookupError):
        run_import(people("ada@example.com"), run="P", progress=turned_down(at))

    run = at.runs.run("P")
    assert run is not None
    assert (run.state, run.rejected) == ("complete", 1)
    assert "cannot be written" in run.reason


@pytest.mark.parametrize("at_row", [True, False])
def test_an_unforeseen_error_ends_a_run_and_shows_nobodys_data(
    at: Sending, people: Callable[..., Import], at_row: bool
) -> None:
    def fail(*_: object) -> Any:
        raise LookupError("ada@example.com")

    def rows() -> Iterator[dict[str, str]]:
        yield {"email": "ada@example.com"}
        fail()

    wanted = replace(people(), rows=rows()) if at_row else people("ada@example.com")
    with pytest.raises(LookupError):
        run_import(wanted, run="P", **({} if at_row else {"progress": fail}))

    run = at.runs.run("P")
    assert run is not None
    assert (run.state, run.reason) == ("failed", "LookupError")
