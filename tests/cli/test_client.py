"""`klaviyo client`: the module that it writes has every action as declared."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import get_type_hints

import pytest
from celery import Celery
from celery.app.task import Context
from pydantic import TypeAdapter

import tasks.registry  # noqa: F401  registers every action
from cli.client.module import module
from tasks.profiles import create_profile
from tests.cli.typed import run
from worker import errors
from worker.account_and_lane import together_asked
from worker.action import ACTIONS
from worker.app import app

DECLARED = {name: each.declaration for name, each in ACTIONS.items() if each.declaration.package == "tasks"}


@pytest.fixture(scope="module")
def written():
    return module(list(DECLARED.values()))


@contextmanager
def imported(source):
    """Return a module as if it had been imported."""
    made = ModuleType("klaviyo_actions")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, errors.STORED_AS)  # nothing of ours is where such a module is
        patch.setitem(sys.modules, made.__name__, made)
        exec(compile(source, "klaviyo_actions.py", "exec", dont_inherit=True), vars(made))
        yield made


@pytest.fixture(scope="module")
def client(written):
    with imported(written) as made:
        yield made


def test_every_action_is_there_with_its_parameters_queue_and_first_sentence(client):
    found = {name: each for name, each in vars(client).items() if isinstance(each, client.Action)}

    assert found.keys() == DECLARED.keys()
    for name, declaration in DECLARED.items():
        parameters = inspect.signature(found[name].declared).parameters.values()
        assert {each.name: each.default is each.empty for each in parameters} == {
            each.name: each.required for each in declaration.parameters.values()
        }
        assert {each.kind for each in parameters} <= {inspect.Parameter.KEYWORD_ONLY}
        assert found[name].name == f"klaviyo.{name}"
        assert found[name].queue == declaration.line("default", {}).queue
        assert inspect.getdoc(found[name].declared) == declaration.doc.partition("\n")[0]


def dictionaries(kind):
    """Return the keys of every dictionary in a type, and the required ones."""
    definitions = TypeAdapter(kind).json_schema().get("$defs", {}).values()
    return sorted((sorted(each["properties"]), sorted(each.get("required", []))) for each in definitions)


def test_what_a_value_is_made_of_is_what_the_declaration_takes(written):
    # For pydantic to read it, which knows only this TypedDict before Python 3.12.
    readable = written.replace("from celery import", "from typing_extensions import TypedDict\n\nfrom celery import")
    with imported(readable) as client:
        for name, declaration in DECLARED.items():
            types = get_type_hints(getattr(client, name).declared)
            for parameter in declaration.parameters.values():
                if parameter.name != "file":  # it is checked by hand: pydantic tells nothing of it
                    made = dictionaries(list[types[parameter.name]])
                    assert made == dictionaries(list[parameter.annotation]), (name, parameter.name)


def test_types_of_one_name_are_distinguished(client):
    assert set(client.MetricsDimension.__args__) != set(client.FlowsDimension.__args__)
    assert not hasattr(client, "Dimension")


def test_a_signature_is_a_message_of_the_application_that_is_given(client):
    shop = Celery("shop", set_as_current=False)
    chosen = client.create_profile.on("eu-store", lane="bulk", countdown=60, expires=90, app=shop)

    signature = chosen.si(email="ada@example.com")

    assert signature.app is shop
    assert (signature.task, signature.args) == ("klaviyo.create_profile", ())
    assert (signature.kwargs, signature.immutable) == ({"email": "ada@example.com"}, True)
    assert signature.options == {
        "queue": "klaviyo.l",
        "headers": {"klaviyo_account": "eu-store", "klaviyo_lane": "bulk"},
        "countdown": 60,
        "expires": 90,
        "serializer": "json",
        "argsrepr": "()",
        "kwargsrepr": "{'email': '***'}",
    }
    assert not chosen.s(email="ada@example.com").immutable


@pytest.mark.parametrize("together", [True, False])
def test_whether_a_call_may_share_a_request_is_passed_to_the_worker(client, together):
    signature = client.create_profile.on(together=together).si(email="ada@example.com")

    context = Context({"task": signature.task, "headers": signature.options["headers"]})
    assert together_asked(context) is together


def test_what_is_passed_is_what_ours_take(client):
    ours = inspect.signature(create_profile.on).parameters.keys()

    assert inspect.signature(client.create_profile.on).parameters.keys() - {"account", "app"} == ours - {"name"}


def test_what_names_no_account_leaves_it_to_the_chain(client):
    assert client.create_profile.si(email="ada@example.com").options["headers"] == {}


@pytest.mark.parametrize("call", [{"emial": "ada@example.com"}, {}])
def test_a_name_that_is_not_known_or_is_missing_is_refused_at_the_call(client, call):
    with pytest.raises(TypeError, match=r"emial|name"):
        client.create_list.delay(**call)


def test_the_command_writes_the_module_and_finds_it_current(written, tmp_path):
    file = tmp_path / "klaviyo_actions.py"

    printed = run("client")
    file.write_text(printed.stdout)

    assert (printed.exit_code, printed.stdout) == (0, written)
    assert run("client", "--check", str(file)).exit_code == 0


def test_a_file_that_only_a_formatter_has_changed_is_current(written, tmp_path):
    file = tmp_path / "klaviyo_actions.py"
    file.write_text(ast.unparse(ast.parse(written)))

    assert run("client", "--check", str(file)).exit_code == 0


@pytest.mark.parametrize(
    "change", [("email: str", "email: int"), ("klaviyo.l", "klaviyo.m"), ("Create a profile", "Make one"), ("def ", "")]
)
def test_a_file_of_another_version_is_reported_in_a_sentence(written, tmp_path, change):
    file = tmp_path / "klaviyo_actions.py"
    file.write_text(written.replace(*change))

    result = run("client", "--check", str(file))

    assert result.exit_code == 1
    assert result.stderr.strip() == f"{file} is out of date: run `klaviyo client > {file}`."


def test_a_file_that_does_not_exist_is_reported_in_a_sentence(tmp_path):
    result = run("client", "--check", str(tmp_path / "none.py"))

    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be read: No such file or directory." in result.stderr


@pytest.mark.parametrize(
    "error",
    [
        errors.Conflict("create_profile", "default", 409, [{"detail": "No.", "meta": {"duplicate_profile_id": "01A"}}]),
        errors.InputError("create_profile", ["email: is no address"]),
        errors.OutcomeUnknown("create_list", "eu", "no answer", "the lists"),
        errors.JobTimedOut("bulk_import_profiles", "eu", {"id": "K1", "total": 4, "completed": 1}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_a_task_is_one_of_the_modules_with_the_same_text(client, error):
    stored = json.loads(json.dumps(app.backend.prepare_exception(error)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, errors.STORED_AS, client)
        again = Celery("shop", set_as_current=False).backend.exception_to_python(stored)

    assert type(again) is getattr(client, type(error).__name__)
    assert isinstance(again, client.KlaviyoError)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_the_module_is_where_celery_looks_for_the_class_of_an_error(written):
    with imported(written) as client:
        assert sys.modules[errors.STORED_AS] is client
