"""Steps of something larger: what is not wanted any more is not begun, and what is not needed costs no budget."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import tasks.lists  # noqa: F401  registers the action of these tests
from worker import steps
from worker.accounts.lookup import DEFAULT
from worker.carrying_out import Revoked
from worker.errors import NotFound
from worker.governor import Governor
from worker.steps import AskingStep, Opening, Step


@pytest.fixture
def governor(client, monkeypatch):
    made = Governor(client)
    monkeypatch.setattr(steps, "get_governor", lambda: made)
    return made


def delivered(step, **told):
    """The step, as if a worker had it with this message."""
    about = {"id": "task", "is_eager": False, "headers": told, "klaviyo_delivery": ("unacked", "index", "tag"), **told}
    request = SimpleNamespace(**about, get=about.get)
    return type("Delivered", (step,), {"request": request, "account": DEFAULT})()


class Plain(Step):
    name = "test.plain"

    def run(self):
        return "done"


class Opens(Opening):
    name = "test.opens"

    def run(self):
        return "done"

    def check_arguments(self, args, kwargs, task_id):
        return args, kwargs, ""


def test_a_step_that_was_revoked_is_not_begun(governor):
    assert delivered(Plain)._checked_run() == "done"
    governor.revoke("task", "nobody wants it")

    with pytest.raises(Revoked, match="nobody wants it"):
        delivered(Plain)._checked_run()


def test_what_has_expired_is_not_begun(governor):
    now = governor.now() / 1000

    assert delivered(Opens, klaviyo_until=now + 60)._checked_run() == "done"
    with pytest.raises(Revoked, match="expired") as ended:
        delivered(Opens, klaviyo_until=now - 1)._checked_run()
    assert ended.value.expired


@dataclass(frozen=True)
class About:
    page: int


class Asks(AskingStep):
    name = "test.asks"
    about = About
    still_needed = True

    def needed(self, about):
        return self.still_needed

    def answered(self, envelope, params, account, about):
        self.end = envelope

    def failed(self, error, params, account, about):
        self.end = error


class Unneeded(Asks):
    name = "test.unneeded"
    still_needed = False


def test_what_need_not_be_asked_gives_its_lease_back(monkeypatch):
    given_back = []
    monkeypatch.setattr(steps, "get_governor", lambda: SimpleNamespace(release=given_back.append))
    monkeypatch.setattr(steps, "carry_out", lambda call, request: pytest.fail("it was asked"))

    delivered(Unneeded).run(action="get_lists", params={}, page=2)

    assert given_back == ["task"]


def test_a_refusal_is_an_answer_to_go_on_with(monkeypatch):
    refusal = NotFound("get_lists", "default", 404, [])

    def refuse(call, request):
        raise refusal

    monkeypatch.setattr(steps, "carry_out", refuse)
    step = delivered(Asks)

    step.run(action="get_lists", params={}, page=2)

    assert step.end is refusal
