"""`klaviyo accounts`: what is shown, stored, asked for, and never seen."""

from __future__ import annotations

import json
import socket
import threading
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

import cli.accounts.authorize
from tests.cli.typed import run
from tests.sandbox.in_process import Clock, Sandbox
from worker.accounts import token_endpoint
from worker.accounts.credentials import Grant
from worker.accounts.oauth import AuthorizationExpired, OtherCompany, authorization_url, exchange
from worker.accounts.stored import get_account_store
from worker.governor import get_governor
from worker.one_per_process import forget
from worker.tiers import QUEUES

PORT = 8914


@pytest.fixture
def store(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    settings.setenv("KLAVIYO_CLIENT_ID", "sandbox-app")
    settings.setenv("KLAVIYO_CLIENT_SECRET", "sandbox-secret")
    settings.setenv("KLAVIYO_BASE_URL", "http://sandbox")
    settings.setenv("KLAVIYO_OAUTH_REDIRECT_URI", "https://shop.example/callback")
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    return get_account_store()


@pytest.fixture
def sandbox(store, monkeypatch):
    made = Sandbox(clock=Clock(now=time.time())).unlimited()

    def answer(request):
        found = made.request(request.method, request.url.path, content=request.content, headers=dict(request.headers))
        return httpx.Response(found.status_code, content=found.content)

    monkeypatch.setattr(token_endpoint, "session", lambda: httpx.Client(transport=httpx.MockTransport(answer)))
    yield made
    made.close()


def grant(**more):
    known = {"id": "g1", "obtained": time.time(), "expires": time.time() + 3600, "scopes": frozenset({"lists:read"})}
    return Grant(
        **{**known, "access_token": SecretStr("at_secret"), "refresh_token": SecretStr("rt_sandbox_a"), **more}
    )


def consented(sandbox, address):
    """The code and the state that come back once somebody has consented."""
    given = sandbox.request("GET", address.removeprefix("http://sandbox"))
    assert given.status_code == 302, given.text
    return {name: values[0] for name, values in parse_qs(urlsplit(given.headers["location"]).query).items()}


def test_an_account_is_added_with_a_key_from_a_pipe_and_listed_without_it(store):
    added = run("accounts", "add", "EU_store", "--timezone", "Europe/Berlin", typed="pk_eu_secret\n")
    shown = run("accounts")

    assert added.exit_code == 0
    assert store.find("eu-store").key() == "pk_eu_secret"
    assert "eu-store" in shown.stdout
    assert "private key" in shown.stdout
    assert "secret" not in added.output + shown.output


def test_a_key_may_be_in_a_variable(store, settings):
    settings.setenv("SHOP_KEY", "pk_from_variable")

    run("accounts", "add", "eu", "--from-env", "SHOP_KEY")

    assert store.find("eu").key() == "pk_from_variable"


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add", "default"), "pk_x", "Account default is defined in the settings"),
        (("add", "a b"), "pk_x", "'a b' cannot name an account"),
        (("add", "eu"), "", "There is no key in standard input: pipe it in, or name a variable with --from-env."),
        (("add", "eu"), "pk_with blank", "standard input: it holds a character that no key has; copy it again."),
        (("add", "eu", "--timezone", "Mars"), "pk_x", "--timezone: this is not a time zone"),
        (("add", "eu", "--from-env", "NOTHING"), "", "There is no key in the variable NOTHING."),
        (("rotate", "eu"), "pk_x", "No account eu is stored"),
        (
            ("rotate", "--from-env", "SHOP_KEY"),
            "",
            "whose key that is: klaviyo accounts rotate NAME --from-env SHOP_KEY",
        ),
        (("--json", "rotate"), "", "--json lists the accounts"),
        (("remove", "eu"), "", "No account eu is stored"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(store, words, typed, said):
    refused = run("accounts", *words, typed=typed)

    assert (refused.exit_code, said in refused.output.replace("\n", " ")) == (2, True), refused.output
    assert "blank" not in refused.output


def test_an_account_is_not_added_twice(store):
    run("accounts", "add", "eu", typed="pk_one")

    assert "klaviyo accounts rotate eu" in run("accounts", "add", "eu", typed="pk_two").output
    assert store.find("eu").key() == "pk_one"


def test_an_account_has_a_weight_that_can_be_changed_and_is_shown_where_any_is_not_one(store):
    run("accounts", "add", "eu", typed="pk_eu\n")
    assert "weight" not in run("accounts").stdout
    run("accounts", "add", "us", "--weight", "3", typed="pk_us\n")
    assert (store.find("eu").weight, store.find("us").weight) == (1, 3)

    assert "the weight 5" in run("accounts", "weigh", "eu", "5").stderr

    assert store.read("eu").weight == 5
    assert "weight" in run("accounts").stdout
    assert {row["alias"]: row["weight"] for row in json.loads(run("accounts", "--json").stdout)} == {
        "default": 1, "eu": 5, "us": 3
    }  # fmt: skip


def test_another_key_lets_an_account_go_on(store):
    run("accounts", "add", "eu", typed="pk_one")
    refused = store.find("eu").fingerprint
    get_governor().pause("account:eu", "a worker", "refused", since=0.0, probe=5.0, key=refused)

    rotated = run("accounts", "rotate", "eu", typed="pk_two")

    assert "go on" in rotated.output
    assert store.find("eu").key() == "pk_two"
    assert get_governor().paused() == []


def test_all_are_encrypted_with_another_secret_key(store, settings):
    run("accounts", "add", "eu", typed="pk_one")
    settings.setenv("KLAVIYO_SECRET_KEY", "n" * 40 + "," + "k" * 40)
    forget()

    assert "1 accounts re-encrypted" in run("accounts", "rotate").output
    settings.setenv("KLAVIYO_SECRET_KEY", "n" * 40)
    forget()
    assert get_account_store().find("eu").key() == "pk_one"


def test_before_an_account_is_removed_it_is_said_what_waits_and_asked(sandbox, store):
    store.change("a", grant=grant())
    get_governor().beat("worker", 0, list(QUEUES), 60)
    get_governor().wait(("a:get_lists", "klaviyo.l;a:get_lists=75:1000,700:60000"), "now", "task-1", "{}", 60.0)

    kept = run("accounts", "remove", "a", typed="n\n")
    assert "1 tasks wait for account a." in kept.output
    assert store.read("a")

    run("accounts", "remove", "a", typed="y\n")
    assert store.read("a") is None
    assert "rt_sandbox_a" not in sandbox.world.credentials.refresh_tokens


def test_an_account_is_removed_even_if_its_grant_cannot_be_given_back(sandbox, store):
    store.change("a", grant=grant())
    sandbox.post("/_sandbox/faults", {"fault": "status", "operation": "oauth_revoke"})

    removed = run("accounts", "remove", "a", "--yes")

    assert "could not be given back (Klaviyo has issued no token: it answered 503" in removed.output
    assert store.read("a") is None


def test_json_has_everything_but_secrets(store):
    store.change("a", grant=grant())

    [first, second] = json.loads(run("accounts", "--json").stdout)

    assert (first["alias"], second["alias"], second["scopes"]) == ("default", "a", ["lists:read"])
    assert "secret" not in json.dumps([first, second])


# The flow of OAuth.


def test_consent_is_given_once_and_makes_an_account(sandbox, store, client):
    address, state = authorization_url("a")
    answer = consented(sandbox, f"{address}&account=a")
    assert answer["state"] == state
    everything = repr([(key, client.dump(key)) for key in client.scan_iter()])
    assert state not in everything

    made = exchange(answer["code"], answer["state"])

    assert store.read("a") == made
    assert {"profiles:write", "lists:read"} <= made.grant.scopes
    with pytest.raises(AuthorizationExpired, match="has expired, or has been completed already"):
        exchange(answer["code"], answer["state"])


def test_the_verifier_is_bound_to_its_state(sandbox, client):
    first, _ = authorization_url("a")
    _, state = authorization_url("b")
    answer = consented(sandbox, f"{first}&account=a")

    with pytest.raises(token_endpoint.TokenRefused, match="Code challenge failed"):
        exchange(answer["code"], state)


def test_a_consent_expires(sandbox, client):
    _, state = authorization_url("a")
    [key] = client.scan_iter("klaviyo:authorization:*")

    assert 590 < client.ttl(key) <= 600
    client.delete(key)
    with pytest.raises(AuthorizationExpired):
        exchange("code", state)


def test_a_wider_consent_keeps_what_was_granted(sandbox, store):
    store.change("a", grant=grant(scopes=frozenset({"reviews:read"})))

    address, _ = authorization_url("a", ["web-feeds:read"])

    assert {"reviews:read", "web-feeds:read", "profiles:write"} <= set(
        parse_qs(urlsplit(address).query)["scope"][0].split()
    )


def consented_by(sandbox, company, **how):
    address, _ = authorization_url("shop")
    return exchange(**consented(sandbox, f"{address}&account={company}"), **how)


def test_a_consent_of_another_klaviyo_account_is_refused_unless_it_is_meant(sandbox, store):
    before = consented_by(sandbox, "a")
    assert before.grant.company

    with pytest.raises(
        OtherCompany, match=r"shop stands for .* Sign in to .* `klaviyo accounts authorize shop --other"
    ):
        consented_by(sandbox, "b")
    assert store.read("shop").grant == before.grant

    assert consented_by(sandbox, "a").grant.company == before.grant.company
    assert consented_by(sandbox, "b", other_account=True).grant.company not in ("", before.grant.company)


def test_an_account_that_was_stopped_goes_on_once_it_is_authorized_again(sandbox, store):
    store.change("a", grant=grant())
    get_governor().pause("account:a", "a worker", "withdrawn", since=0.0, probe=5.0, key="g1")
    address, _ = authorization_url("a")

    exchange(**consented(sandbox, f"{address}&account=a"))

    assert get_governor().paused() == []


def test_the_command_prints_an_address_and_waits_for_its_answer(sandbox, monkeypatch, store):
    monkeypatch.setattr(cli.accounts.authorize, "require_free_port", lambda *_: None)
    monkeypatch.setattr(cli.accounts.authorize, "webbrowser", None)
    began = threading.Event()
    printed = []

    class Server(cli.accounts.authorize.Callback):
        def __init__(self, port, state):
            super().__init__(0, state)
            printed.append(self.server_address[1])
            began.set()

    monkeypatch.setattr(cli.accounts.authorize, "Callback", Server)
    links = []
    monkeypatch.setattr(
        cli.accounts.authorize, "authorization_url", lambda *asked: links.append(authorization_url(*asked)) or links[-1]
    )  # fmt: skip

    def consent():
        assert began.wait(60)
        answer = consented(sandbox, f"{links[0][0]}&account=a")
        base = f"http://127.0.0.1:{printed[0]}/callback"
        assert httpx.get(base, params={**answer, "state": "another"}).status_code == 404
        assert httpx.get(base, params=answer).status_code == 200

    person = threading.Thread(target=consent)
    person.start()
    done = run("accounts", "authorize", "a")
    person.join(60)

    assert done.exit_code == 0, done.output
    assert "http://sandbox/oauth/authorize?" in done.output
    assert store.read("a").grant
    assert store.read("a").grant.access_token.get_secret_value() not in done.output


def test_a_browser_that_connects_before_it_asks_holds_nobody_up(monkeypatch):
    assert cli.accounts.authorize.Handler.timeout, "or the first connection is waited for as long as it is open"
    monkeypatch.setattr(cli.accounts.authorize.Handler, "timeout", 0.05)
    with cli.accounts.authorize.Callback(0, "state") as server, socket.create_connection(server.server_address):
        server.handle_request()

    assert server.answer == {}


def test_a_person_who_declines_is_reported_as_such(sandbox, monkeypatch):
    class Server(cli.accounts.authorize.Callback):
        def __init__(self, port, state):
            super().__init__(0, state)
            self.answer = {"error": "access_denied"}

    monkeypatch.setattr(cli.accounts.authorize, "require_free_port", lambda *_: None)
    monkeypatch.setattr(cli.accounts.authorize, "Callback", Server)

    assert "Klaviyo sent no code (access_denied)." in run("accounts", "authorize", "a").output
