"""For the tests of an application: a Klaviyo in memory, which writes down each call and answers it.

    pytest_plugins = ["worker.testing"]

    def test_a_sign_up_makes_a_profile(klaviyo):
        sign_up("ada@example.com")

        assert klaviyo.called(create_profile) == [{"email": "ada@example.com"}]

While it is in place nothing needs Redis or a network. Calls are checked as ever; what is queued is carried out at once,
in the process that queues it, by Celery's own ``task_always_eager``: chains, groups, chords and callbacks as well.
docs/testing.md tells more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from unittest import mock

import pytest

from worker.account_and_lane import TASK_PREFIX, lane_of, place_of
from worker.accounts.lookup import DEFAULT
from worker.accounts.stored import AccountStore
from worker.action import ACTIONS, NAMES_2024, Action
from worker.action_task import ActionTask
from worker.api.declaration import Declaration
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.app import app, registered
from worker.calls import delay_of
from worker.governor import Lane
from worker.message_headers import HEADER


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made.

    ``params`` are its parameters as they travel, checked, under their plain names, with the ids and times that it was
    given. ``queued``: it was queued, not made on the spot. ``countdown``: seconds that it would have waited. ``job``:
    the whole job was asked for, by ``run_job``.
    """

    action: str
    params: Params
    account: str = DEFAULT
    lane: Lane = "now"
    countdown: float = 0.0
    queued: bool = True
    job: bool = False


#: What an action answers: its ``data``, an error to raise, or a function of the parameters that gives either.
Answer = Any


class Klaviyo:
    """A Klaviyo in memory, in place while it is entered as a context."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, bool], Answer] = {}
        self._ids = count(1)
        self._patches: list[Any] = []

    def answer(self, action: Action[Any], data: Answer, *, job: bool = False) -> None:
        """From now on answer calls of an action with this; ``job``: calls of the job that it begins."""
        self._answers[action.declaration.name, job] = data

    def called(self, action: Action[Any]) -> list[Params]:
        """The parameters of each call of an action, in the order in which they were made."""
        return [call.params for call in self.calls if call.action == action.declaration.name]

    def __enter__(self) -> Klaviyo:
        def here(task: ActionTask, alias: str, params: Params) -> Envelope:
            return self._carried_out(task, alias, params)

        # First: Celery's settings are made anew when it is first asked for a task, and would forget a change before.
        begin = registered(f"{TASK_PREFIX}job")
        self._patches = [
            mock.patch.object(ActionTask, "here", here),
            mock.patch.object(AccountStore, "look"),
            mock.patch.dict(app.conf.changes, {"task_always_eager": True}),
            mock.patch.object(begin, "run", lambda *before, **asked: self._job(begin, **asked)),
        ]
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        for patch in reversed(self._patches):
            patch.stop()

    def _carried_out(self, task: ActionTask, alias: str, params: Params) -> Envelope:
        request, declaration = task.request, task.declaration
        queued = bool(request.is_eager)
        wait = (request.headers or {}).get(HEADER) or {}
        lane: Lane = lane_of(request) if queued else "now"
        self.calls.append(Call(declaration.name, params, alias, lane, wait.get("delay", 0.0), queued))
        envelope = self._envelope((declaration.name, False), params, lambda: self._data(declaration, params))
        if declaration.upserts:
            envelope.setdefault("created", True)
        return envelope

    def _job(self, task: Any, kind: str, params: Params) -> Envelope:
        word = kind.removeprefix(TASK_PREFIX)
        action = ACTIONS[NAMES_2024.get(word, word)]
        name, request = action.declaration.name, task.request
        account = place_of(request).account or DEFAULT
        self.calls.append(Call(name, params, account, lane_of(request), delay_of(request), job=True))
        ended = {"type": "job", "id": str(next(self._ids)), "kind": name, "account": account, "status": "complete",
                 "failed": 0, "errors": []}  # fmt: skip
        return self._envelope((name, True), params, lambda: ended)

    def _envelope(self, key: tuple[str, bool], params: Params, otherwise: Callable[[], Any]) -> Envelope:
        answer = self._answers[key] if key in self._answers else otherwise()
        data = answer(params) if callable(answer) and not isinstance(answer, BaseException | type) else answer
        if isinstance(data, BaseException):
            raise data
        if isinstance(data, Mapping) and "successful" in data:
            return Envelope(data)
        return Envelope(data=data, error=None, successful=True)

    def _data(self, declaration: Declaration, params: Params) -> Any:
        """What there is at a Klaviyo that knows nothing: no lists, and the record that was asked for or made."""
        if declaration.method == "GET" and "{" not in declaration.path:
            return []
        record = {"id": str(params.get("id") or next(self._ids)), "attributes": {}}
        return {"type": declaration.type, **record} if declaration.type else record


@pytest.fixture
def klaviyo() -> Iterator[Klaviyo]:
    """A Klaviyo in memory for one test."""
    with Klaviyo() as made:
        yield made
