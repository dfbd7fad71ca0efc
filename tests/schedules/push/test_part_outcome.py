"""The outcome of a part, for every way in which its job may end."""

from types import SimpleNamespace

import pytest

from schedules.push import part_outcome as push_fate
from schedules.push.part_outcome import PartOutcome, part_outcome


class Ledger:
    def __init__(self):
        self.known, self.rejects = {}, {}

    def add(self, id, rows, status="complete", state="settled", rejected=0, unknown=0, turned_down=(), failure=None):
        job = SimpleNamespace(state=state, status=status, rows=rows, rejected=rejected, unknown=unknown,
                              failure=failure, kind="bulk_import_profiles", account="default")  # fmt: skip
        self.known[id] = job
        self.rejects[id] = [{"row": row, "reason": "it is bad"} for row in turned_down]

    def job(self, id):
        return self.known.get(id)

    def rejects_of(self, id):
        return self.rejects[id]


@pytest.fixture
def ledger(monkeypatch):
    made = Ledger()
    monkeypatch.setattr(push_fate, "get_ledger", lambda: made)
    return made


def test_a_part_has_no_outcome_until_its_job_is_settled(ledger):
    ledger.add("p", "1-3", state="processing", status="")

    assert part_outcome("p") is None


def test_the_rows_that_were_rejected_are_lost(ledger):
    ledger.add("p", "1-3", rejected=1, turned_down=[2])

    assert part_outcome("p") == PartOutcome(frozenset({2}), 1, 0, ("it is bad",))


def test_a_part_that_was_never_sent_is_lost_whole(ledger):
    assert part_outcome("p") == PartOutcome(None)


@pytest.mark.parametrize("ended", [{"status": "withdrawn"}, {"unknown": 2, "turned_down": [1]}])
def test_no_row_counts_as_landed_if_it_is_not_known_which_have(ledger, ended):
    ledger.add("p", "1-3", **ended)

    found = part_outcome("p")

    assert found
    assert found.lost == {1, 2, 3}


def test_a_part_that_was_split_is_known_when_both_halves_are(ledger):
    ledger.add("p", "1-4", status="split")
    ledger.add("pa", "1-2", rejected=1, turned_down=[1])
    ledger.add("pb", "3-4", state="accepted")
    halfway = part_outcome("p")
    ledger.add("pb", "3-4")

    whole = part_outcome("p")

    assert halfway is None
    assert whole == PartOutcome(frozenset({1}), 1, 0, ("it is bad",))


def test_an_error_that_every_part_would_meet_is_fatal(ledger):
    failure = {"type": "SettingsError", "args": ["account 'default' has no API key"]}
    ledger.add("p", "1-2", status="refused", rejected=2, turned_down=[1, 2], failure=failure)
    ledger.add("q", "1-2", status="refused", rejected=2, turned_down=[1, 2], failure={
        "type": "BadRequest", "args": ["bulk_import_profiles", "default", 400, []],
    })  # fmt: skip

    fatal, bad = part_outcome("p"), part_outcome("q")

    assert fatal
    assert str(fatal.fatal) == "account 'default' has no API key"
    assert bad
    assert bad.fatal is None
