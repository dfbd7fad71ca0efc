"""What became of a part, from every way in which its job may have ended."""

from types import SimpleNamespace

import pytest

from schedules.push import fate as push_fate
from schedules.push.fate import Fate, fate


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


def test_as_long_as_a_job_is_not_settled_nobody_knows(ledger):
    ledger.add("p", "1-3", state="processing", status="")

    assert fate("p") is None


def test_the_rows_that_were_turned_down_are_lost(ledger):
    ledger.add("p", "1-3", rejected=1, turned_down=[2])

    assert fate("p") == Fate(frozenset({2}), 1, 0, ("it is bad",))


def test_a_part_that_was_never_sent_is_lost_whole(ledger):
    assert fate("p") == Fate(None)


@pytest.mark.parametrize("ended", [{"status": "withdrawn"}, {"unknown": 2, "turned_down": [1]}])
def test_where_it_is_not_told_which_rows_have_landed_none_counts(ledger, ended):
    ledger.add("p", "1-3", **ended)

    found = fate("p")

    assert found
    assert found.lost == {1, 2, 3}


def test_a_part_that_was_split_is_known_when_both_halves_are(ledger):
    ledger.add("p", "1-4", status="split")
    ledger.add("pa", "1-2", rejected=1, turned_down=[1])
    ledger.add("pb", "3-4", state="accepted")
    halfway = fate("p")
    ledger.add("pb", "3-4")

    whole = fate("p")

    assert halfway is None
    assert whole == Fate(frozenset({1}), 1, 0, ("it is bad",))


def test_what_no_other_part_would_be_spared_is_told(ledger):
    failure = {"type": "SettingsError", "args": ["account 'default' has no API key"]}
    ledger.add("p", "1-2", status="refused", rejected=2, turned_down=[1, 2], failure=failure)
    ledger.add("q", "1-2", status="refused", rejected=2, turned_down=[1, 2], failure={
        "type": "BadRequest", "args": ["bulk_import_profiles", "default", 400, []],
    })  # fmt: skip

    fatal, bad = fate("p"), fate("q")

    assert fatal
    assert str(fatal.fatal) == "account 'default' has no API key"
    assert bad
    assert bad.fatal is None
