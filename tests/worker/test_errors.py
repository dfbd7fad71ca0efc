"""Every error survives the way through Celery, and its text is a sentence."""

import inspect
import json
import pickle

import pytest
from celery.backends.base import Backend
from kombu.utils.encoding import safe_repr

from schedules.push.lock import AlreadyRunning
from schedules.push.report import NotDeleted
from tasks.imports.sending import AnotherSource
from worker import errors
from worker.accounts.oauth import AuthorizationExpired, OtherCompany
from worker.accounts.token_endpoint import TokenRefused, TokenUnavailable
from worker.app import app
from worker.execution import NoLookupBudget, NotOnRecord
from worker.failures.replay import OutcomeMatters

EXAMPLES = [
    errors.KlaviyoError("text"),
    errors.SettingsError("set KLAVIYO_API_KEY"),
    errors.NotConfirmed("create_profile", "0b1e", "Timeout reading from socket"),
    errors.AlreadyRevoked("0b1e", "dropped by an operator"),
    errors.Paused("create_profile", "eu", "account eu, by root (an incident)"),
    errors.InputError("create_profile", ["parameter 'email' is missing"]),
    errors.SourceError("customers.csv", "this is not UTF-8 text"),
    errors.WebhookRefused("its signature is missing or was not made with this secret"),
    errors.WebhookInProgress(),
    *(
        kind("create_profile", "eu", status, [{"id": "e-1", "detail": "No."}])
        for status, kind in errors.BY_STATUS.items()
    ),
    errors.Answered("create_profile", "eu", 402, []),
    errors.Refused("create_profile", "eu", 418, []),
    errors.Throttled("create_profile", "eu", 429, [], 17.0),
    errors.TokenPending("create_profile", "eu", "it is being requested", 1.0),
    errors.CredentialsFailed("create_profile", "eu", "Klaviyo has withdrawn its grant"),
    errors.ScopeMissing("create_profile", "eu", ["profiles:write"], "Make a key that has it"),
    errors.Unavailable("create_profile", "eu", "no answer", True, 3),
    errors.OutcomeUnknown("create_list", "eu", "no answer", "the lists"),
    errors.Malformed("get_profiles", "its next page is the page itself"),
    *(
        kind("bulk_import_profiles", "eu", {"id": "K1", "status": "…", "total": 4, "completed": 1})
        for kind in (errors.JobFailed, errors.JobCancelled, errors.JobVanished, errors.JobExpired, errors.JobTimedOut)
    ),
]


#: What other modules raise, and a task may end with.
OTHER_EXAMPLES = [
    AlreadyRunning("default", "events", False),
    AnotherSource("profiles.csv", "it has 3 rows less than before"),
    AuthorizationExpired(),
    NoLookupBudget("get_profile", 30.0),
    NotDeleted("default", "profiles", 3, 20, 1, 2, 0),
    NotOnRecord("create_list", "default", "the list cannot be found"),
    OtherCompany("default", "AbC123", "XyZ789"),
    OutcomeMatters("create_list", "get_lists"),
    TokenRefused("invalid_grant"),
    TokenUnavailable("it answered 503", 2.0),
]


def test_there_is_an_example_of_every_error():
    kinds = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.KlaviyoError)}

    assert kinds == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("error", [*EXAMPLES, *OTHER_EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error):
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))
    assert vars(again) == vars(error)


@pytest.mark.parametrize("error", [*EXAMPLES, *OTHER_EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_survives_celerys_json(error):
    stored = json.loads(json.dumps(app.backend.prepare_exception(error)))
    again = Backend(app).exception_to_python(stored)

    assert (type(again), list(again.args), str(again)) == (type(error), list(error.args), str(error))
    assert vars(again) == vars(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_flower_shows_an_error_as_the_sentence_that_it_is(error):
    assert safe_repr(error) == f"{type(error).__name__}: {error}"


def test_an_unknown_outcome_says_what_to_look_at():
    assert str(errors.OutcomeUnknown("create_list", "eu", "no answer", "the lists of this name")) == (
        "create_list on account eu may have been carried out: no answer. It was not sent again. "
        "Before you repeat it, look at the lists of this name."
    )
