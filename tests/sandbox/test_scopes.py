"""What `klaviyo check` tries scopes with: answered by every key as its scopes are, and nothing is changed by it."""

import pytest

import tasks.registry  # noqa: F401  registers every action
from cli.check.scopes import trials
from tests.sandbox.in_process import Sandbox
from worker.action import ACTIONS


@pytest.fixture
def sandbox():
    made = Sandbox().unlimited()
    yield made
    made.close()


def tried(sandbox):
    """The scopes that a key has by what the trials tell, and those that it lacks."""
    answers = {}
    for trial in trials(action.declaration for action in ACTIONS.values()):
        request = trial.request
        answer = sandbox.request(request.method, request.path, None if request.body is None else {})
        answers[trial.scope] = answer.status_code
    return answers


def test_a_trial_of_a_scope_that_is_there_is_turned_down_for_another_reason_and_changes_nothing(sandbox):
    before = sandbox.get("/_sandbox/state").json()

    answers = tried(sandbox)

    assert set(answers.values()) <= {200, 400, 404}
    assert {status for scope, status in answers.items() if scope.endswith(":write")} <= {400, 404}
    assert sandbox.get("/_sandbox/state").json() == before


def test_a_trial_of_a_scope_that_a_key_lacks_says_so(sandbox):
    sandbox.key = "pk_sandbox_readonly"

    for scope, status in tried(sandbox).items():
        assert (status == 403) == scope.endswith(":write"), scope
