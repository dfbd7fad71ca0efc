"""An account whose grant is withdrawn while its tasks wait, and given again: nothing is lost, and nothing doubled."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import httpx
import pytest
from celery.exceptions import Retry
from pydantic import SecretStr

from tasks.lists import get_lists
from tests.clock import Clock
from tests.soak import sized
from worker import carrying_out, execution
from worker.account_and_lane import TASK_PREFIX
from worker.accounts import oauth, tokens
from worker.accounts.credentials import Grant
from worker.accounts.stored import get_account_store
from worker.accounts.token_endpoint import TokenRefused, Tokens, TokenUnavailable
from worker.errors import Unauthorized
from worker.execution import Call, attempt
from worker.governor import Governor
from worker.http_client import Response
from worker.message_headers import HEADER
from worker.one_per_process import forget
from worker.tiers import QUEUES
from worker.transport import UNACKED, UNACKED_INDEX, header

DECLARATION = get_lists.declaration
TASKS = sized(120, 10_000)
HOUR = 3_600


class Shop:
    """An account, a worker that carries its tasks out, and Klaviyo, all by one clock."""

    def __init__(self, client):
        self.client, self.clock = client, Clock()
        self.governor = Governor(client, clock=self.clock)
        self.governor.beat("worker", 200, list(QUEUES), 10**6)
        client.set("klaviyo:born", self.clock.ms - 100_000)
        self.line = DECLARATION.line("shop", {})
        self.wait = {**header(self.line, "now"), "account": "shop"}
        self.withdrawn = False
        self.issued, self.refused, self.refreshed, self.good = 0, 0, 0, set()
        self.answers, self.ended, self.tags = [], Counter(), 0
        self.authorize()

    def seconds(self):
        return self.clock.ms / 1000

    def issue(self):
        self.issued += 1
        token = f"at_{self.issued}"
        self.good.add(token)
        return Tokens(SecretStr(token), SecretStr("rt"), HOUR, frozenset())

    def authorize(self):
        issued, now = self.issue(), self.seconds()
        grant = Grant(
            issued.access_token.get_secret_value(),
            issued.access_token,
            issued.refresh_token,
            now,
            now + HOUR,
            frozenset(),
        )
        return get_account_store().change("shop", grant=grant)

    def refresh(self, _):
        if self.withdrawn:
            self.refused += 1
            raise TokenRefused("invalid_grant")
        self.refreshed += 1
        return self.issue()

    def send(self, client, owner, action, request):
        token = owner.authorization(action).removeprefix("Bearer ")
        self.answers.append(status := 200 if token in self.good else 401)
        return Response(status, httpx.Headers({}), b'{"data": []}' if status == 200 else b'{"errors": []}')

    def publish(self, count):
        for number in range(count):
            id = f"task-{number}"
            self.governor.wait((self.line.name, self.line.spec), "now", id, f'{{"id": "{id}"}}')

    def work(self, seconds):
        """Let so many seconds pass, in which a worker does all that it is given."""
        for _ in range(seconds):
            self.clock.wait(1)
            self.governor.tick()
            while message := self.client.rpop(self.line.queue):
                self.deliver(message)

    def deliver(self, message):
        self.tags += 1
        tag, id = f"tag-{self.tags}", message.decode().split('"')[3]
        self.client.hset(UNACKED, tag, b'[%s,"",""]' % message)
        told = {"task": f"{TASK_PREFIX}get_lists", HEADER: self.wait}
        request = SimpleNamespace(
            id=id, klaviyo_delivery=(UNACKED, UNACKED_INDEX, tag), get=told.get, headers={}, delivery_info={},
            callbacks=None, chain=None, chord=None, parent_id=None,
        )  # fmt: skip
        try:
            self.ended[id, carrying_out.run(DECLARATION, request, (), {})["successful"]] += 1
            self.client.hdel(UNACKED, tag)
        except Retry:
            pass


@pytest.fixture
def shop(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    made = Shop(client)
    for module in (carrying_out, oauth):
        monkeypatch.setattr(module, "get_governor", lambda: made.governor)
    monkeypatch.setattr(execution, "send", made.send)
    monkeypatch.setattr(execution, "get_client", lambda: None)
    monkeypatch.setattr(tokens, "refresh", made.refresh)
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=made.seconds, monotonic=made.seconds))
    return made


@pytest.mark.soak
def test_a_grant_that_is_withdrawn_and_given_again_an_hour_later_costs_no_task(shop):
    shop.publish(TASKS)
    shop.work(1)
    done = len(shop.ended)
    assert 0 < done < TASKS
    shop.withdrawn, shop.good = True, set()
    shop.clock.wait(61)  # a token that is new is not replaced

    shop.work(HOUR)

    [pause] = shop.governor.paused()
    assert "run `klaviyo accounts authorize shop`" in pause.how_to_resume
    assert len(shop.ended) == done
    assert shop.refused <= HOUR / 60 + 20
    assert shop.governor.count() == TASKS - done

    shop.withdrawn = False
    assert oauth.resume_if_replaced(shop.authorize())
    shop.work(TASKS // 10 + 90)

    assert shop.ended == Counter({(f"task-{number}", True): 1 for number in range(TASKS)})
    assert shop.answers.count(200) == TASKS
    assert shop.governor.paused() == []


def test_a_token_that_klaviyo_refuses_is_refreshed_once_and_the_request_repeated_once(shop):
    shop.publish(3)
    shop.clock.wait(120)
    shop.good = set()  # revoked before it has expired

    shop.work(5)

    assert shop.ended == Counter({(f"task-{number}", True): 1 for number in range(3)})
    assert shop.refreshed == 1
    assert shop.answers[:2] == [401, 200]


def test_a_new_token_that_klaviyo_refuses_as_well_stops_the_account(shop):
    shop.clock.wait(120)
    call = Call(DECLARATION, "shop", {}, "id", "holder")
    shop.issue = lambda: Tokens(SecretStr("at_bad"), SecretStr("rt"), HOUR, frozenset())
    shop.good = set()

    with pytest.raises(Unauthorized):
        attempt(call, shop.governor, execution.get_settings())

    assert (shop.refreshed, shop.answers) == (1, [401, 401])


def test_a_worker_without_the_secret_key_lets_the_tasks_wait(shop, settings):
    shop.publish(3)
    settings.setenv("KLAVIYO_SECRET_KEY", "another" * 8)
    forget()

    shop.work(3)

    [pause] = shop.governor.paused()
    assert "encrypted with a key that KLAVIYO_SECRET_KEY does not hold" in pause.why
    assert (shop.governor.count(), shop.answers) == (3, [])

    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    forget()
    shop.work(60)
    assert len(shop.ended) == 3


def test_while_there_is_no_token_yet_the_bucket_says_so_and_not_that_klaviyo_answered_429(shop, monkeypatch):
    def refresh(_):
        raise TokenUnavailable("it answered 503")

    monkeypatch.setattr(tokens, "refresh", refresh)
    shop.clock.wait(HOUR)
    shop.publish(3)
    shop.work(1)

    assert (shop.governor.count(), shop.answers) == (3, [])
    reasons = {look.line: look.block_reason for look in shop.governor.look()}
    assert reasons == {
        "shop:get_lists": "the account waits for a new access token",
        "shop:oauth_token": "the last request for a token failed: it answered 503",
    }


@pytest.mark.parametrize("trouble", [TokenRefused("invalid_grant"), TokenUnavailable("it answered 503")])
def test_a_401_whose_token_cannot_be_replaced_was_answered_and_counts_nowhere(shop, client, monkeypatch, trouble):
    def refresh(_):
        raise trouble

    monkeypatch.setattr(tokens, "refresh", refresh)
    shop.clock.wait(120)
    shop.publish(1)
    shop.good = set()
    shop.work(1)

    assert (shop.governor.count(), shop.answers) == (1, [401])
    assert not client.exists("klaviyo:unanswered", "klaviyo:ring:shop:get_lists")
