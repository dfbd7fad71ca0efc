"""What worker, beat and Flower log."""

import io
import json
import logging
from types import SimpleNamespace

import pytest
from celery._state import _task_stack

from worker.errors import BadRequest
from worker.telemetry import logs
from worker.telemetry.masking import mask_line

ID = "12345678-1234-4123-8123-12345678901a"
SECRETS = ("ada@example.com", "+44 555 000 1234", "5550001234", "(555) 000-1234", "pk_abcdef", "Lovelace")


class Lines:
    """A logger like any of the standard library, and what it has written."""

    def __init__(self, style, name="celery.app.trace", colours=False):
        self.written = io.StringIO()
        self.logger = logging.Logger(name)
        handler = logging.StreamHandler(self.written)
        handler.setFormatter(logs.make_formatter(style, colours))
        self.logger.addHandler(handler)

    @property
    def text(self):
        return self.written.getvalue()

    @property
    def only(self):
        [line] = self.text.splitlines()
        return json.loads(line)


@pytest.fixture
def carried_out():
    """A task, as the thread that carries it out has it."""
    headers = {"klaviyo": {"account": "eu-store", "lane": "bulk"}}
    told = {**headers, "klaviyo_attempt": 2}
    request = SimpleNamespace(id=ID, headers={}, get=told.get)
    _task_stack.push(SimpleNamespace(name="klaviyo.create_profile", request=request))
    yield
    _task_stack.pop()


def test_a_line_of_json_says_which_task_of_which_account_it_is_about_and_which_attempt(carried_out):
    lines = Lines("json", name="kombu.anything")
    lines.logger.warning("It takes %d s.", 5)

    timestamp = lines.only["timestamp"]
    assert timestamp.endswith("Z")
    assert lines.only == {
        "event": "It takes 5 s.", "level": "warning", "logger": "kombu.anything", "timestamp": timestamp,
        "account": "eu-store", "action": "create_profile", "task_id": ID, "lane": "bulk", "attempt": 2,
    }  # fmt: skip


def test_what_celery_logs_of_a_task_says_so_too_and_keeps_its_id():
    lines = Lines("json")
    told = {"id": ID, "name": "klaviyo.create_profile", "kwargs": "{'first_name': 'Lovelace'}"}
    lines.logger.info("Task %(name)s[%(id)s] received", told, extra={"data": told})

    assert lines.only["event"] == f"Task klaviyo.create_profile[{ID}] received"
    assert (lines.only["action"], lines.only["task_id"]) == ("create_profile", ID)
    assert "Lovelace" not in lines.text


def test_a_line_about_klaviyos_refusal_has_its_status_and_error_id():
    lines = Lines("json")
    try:
        raise BadRequest("create_profile", "default", 400, [{"id": "5f6c-1", "detail": "no"}])
    except BadRequest as error:
        lines.logger.info("It failed: %s", error)

    said = {"account": "default", "action": "create_profile", "status": 400, "klaviyo_error_id": "5f6c-1"}
    assert said.items() <= lines.only.items()


def test_whoever_logs_may_say_what_a_line_is_about():
    lines = Lines("json")
    lines.logger.warning("Resumed.", extra={"account": "eu-store", "something": "else"})

    assert lines.only["account"] == "eu-store"
    assert "something" not in lines.only


def test_a_line_for_people_names_nothing_twice(carried_out):
    lines = Lines("console")
    lines.logger.warning("Task klaviyo.create_profile[%s] waits on eu-store.", ID)

    assert lines.text.split(" ", 1)[1] == (
        f"warning  Task klaviyo.create_profile[{ID}] waits on eu-store.  lane=bulk attempt=2\n"
    )


@pytest.mark.parametrize("style", ["console", "json"])
def test_no_person_and_no_key_is_in_a_line_a_field_or_a_traceback(style):
    lines = Lines(style)
    lines.logger.warning("To %s, %s or %s: %s", *SECRETS[:3], SECRETS[4])
    lines.logger.warning("%s", {"first_name": "Lovelace", "phone_number": SECRETS[3]})
    lines.logger.warning("create_profile(last_name=\"Lovelace\", data__attributes__email='%s')", SECRETS[0])
    try:
        person = "Lovelace"
        raise ValueError(f"{SECRETS[0]} cannot be called at {SECRETS[1]}")
    except ValueError:
        lines.logger.exception("Odd")
        assert person

    assert [secret for secret in SECRETS if secret in lines.text] == []
    assert "Traceback" in lines.text
    assert "in test_no_person" in lines.text


@pytest.mark.parametrize(
    "text",
    [
        f"Task x[{ID}] succeeded in 0.012345678901s",
        "2026-11-29 02:02:14.498 at 1795912345.123456",
        "redis at 127.0.0.1:6379, 10.100.200.255, unix:///tmp/redis.sock",
        "100000 tasks, 12,345,678 bytes",
    ],
)
def test_ids_times_addresses_of_machines_and_amounts_stay_readable(text):
    assert mask_line(text) == text


def test_workers_keep_their_names_and_a_url_does_not_keep_its_password():
    assert mask_line("celery@host-1 ready.", frozenset({"host-1"})) == "celery@host-1 ready."
    assert mask_line("redis://user:secret@host-2/0") == "redis://***/0"
    lines = Lines("json", name="celery.worker.consumer.gossip")
    lines.logger.info("missed heartbeat from %s", "celery@another.host.example")
    assert lines.only["event"] == "missed heartbeat from celery@another.host.example"


def test_a_line_that_nobody_wants_is_not_even_put_together():
    class Costly:
        def __str__(self):
            raise AssertionError("it was formatted")

    lines = Lines("json")
    lines.logger.setLevel(logging.WARNING)
    lines.logger.info("%s", Costly())

    assert lines.text == ""


@pytest.mark.parametrize("colours", [True, False])
def test_colours_are_for_terminals(colours):
    lines = Lines("console", colours=colours)
    lines.logger.warning("Here.")

    assert ("\033[33mwarning" in lines.text) is colours
