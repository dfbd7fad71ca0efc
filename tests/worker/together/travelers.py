"""Calls, a governor over a real server, workers that may die at any step, and a Klaviyo that keeps what it is told."""

from __future__ import annotations

import base64
import json
from collections import Counter

import httpx
import orjson
from celery.app.task import Context
from celery.exceptions import Ignore, Retry

import tasks.registry  # noqa: F401 — all actions
from tests.clock import Clock
from worker import carrying_out, execution
from worker.action import ACTIONS
from worker.app import app
from worker.carrying_out import Revoked
from worker.errors import KlaviyoError
from worker.governor import ALONE, Delivery, Expiry, Governor
from worker.http_client import Response
from worker.message_headers import HEADER
from worker.process import prefetched_leases
from worker.tiers import QUEUES
from worker.together import riding
from worker.together.sharing import traveling
from worker.transport import UNACKED, UNACKED_INDEX, header, together_of

#: How a call has ended, beside its envelope or its error.
REVOKED = "REVOKED"


class Killed(BaseException):
    """What ends a worker at once."""


class Mortal:
    """The governor as a worker sees it that dies before or after some step."""

    def __init__(self, governor, dies=None):
        self._governor, self.steps, self.dies = governor, 0, dies

    def __getattr__(self, name):
        method = getattr(self._governor, name)

        def step(*args, **kwargs):
            self.steps += 1
            if self.dies == (self.steps, "before"):
                raise Killed
            answer = method(*args, **kwargs)
            if self.dies == (self.steps, "after"):
                raise Killed
            return answer

        return step


class Klaviyo:
    """Keeps events by their ids, and profiles on lists; answers as it is told to, once each."""

    def __init__(self):
        self.requests, self.events, self.members = [], Counter(), Counter()
        self.profiles, self.script, self.bad, self.points = set(), [], set(), True
        #: What brings Klaviyo down, by its id.
        self.poison = set()
        #: The action, the moment and the account of each request.
        self.arrivals, self.clock = [], lambda: 0

    def __call__(self, _client, account, action, request):
        body = orjson.loads(request.body) if request.body else {}
        self.arrivals.append((action, self.clock(), account.alias))
        self.requests.append((action, len(self._records(action, request, body))))
        fault = self.script.pop(0) if self.script else None
        if fault in (429, 503):
            return Response(fault, httpx.Headers({"retry-after": "1"} if fault == 429 else {}), b"")
        if self.poison & {each["unique_id"] for each in self._sent(action, body)}:
            return Response(500, httpx.Headers({}), b"")
        refusal = self._refusal(action, body)
        if refusal:
            return Response(400, httpx.Headers({}), orjson.dumps({"errors": refusal}))
        answer = self._carry_out(action, request, body)
        if fault == "cut":
            raise execution.Unavailable(action, "default", "no answer from Klaviyo", True)
        if fault == "killed":
            raise Killed
        return answer

    def sizes(self, action):
        return [size for name, size in self.requests if name == action]

    def _records(self, action, request, body):
        if action == "bulk_create_events":
            return body["data"]["attributes"]["events-bulk-create"]["data"]
        if action == "get_profiles":
            return json.loads(request.query["filter"].removeprefix("any(id,").removesuffix(")"))
        if action == "bulk_subscribe_profiles":
            return body["data"]["attributes"]["profiles"]["data"]
        return body["data"] if isinstance(body.get("data"), list) else [body]

    def _events(self, action, body):
        if action == "create_event":
            return [("/data/attributes", body["data"]["attributes"])]
        found = enumerate(body["data"]["attributes"]["events-bulk-create"]["data"])
        return [
            (f"/data/attributes/events-bulk-create/data/{number}/attributes", each["attributes"]["events"]["data"][0])
            for number, each in found
        ]

    def _sent(self, action, body):
        if not action.endswith(("create_event", "create_events")):
            return []
        return [each.get("attributes", each) for _, each in self._events(action, body)]

    def _refusal(self, action, body):
        if not action.endswith(("create_event", "create_events")):
            return []
        found, seen = [], set()
        for place, each in self._events(action, body):
            sent = each.get("attributes", each)
            source = {"source": {"pointer": f"{place}/value"}} if self.points else {}
            if sent["unique_id"] in self.bad or sent["unique_id"] in seen:
                found.append({"id": "1", "code": "invalid", "detail": "Bad.", **source})
            seen.add(sent["unique_id"])
        return found

    def _carry_out(self, action, request, body):
        if action == "get_profiles":
            ids = [each for each in self._records(action, request, body) if each in self.profiles]
            return _answer(200, {"data": [{"type": "profile", "id": each} for each in ids]})
        if action == "get_profile":
            id = request.path.rpartition("/")[2]
            return _answer(200, {"data": {"type": "profile", "id": id}}) if id in self.profiles else _answer(404, {})
        if action == "add_profiles_to_list":
            self.members.update(each["id"] for each in body["data"])
            return _answer(204)
        if action == "create_profile":
            return _answer(201, {"data": {"type": "profile", "id": "01"}})
        if action == "bulk_subscribe_profiles":
            people = body["data"]["attributes"]["profiles"]["data"]
            self.members.update(each["attributes"]["email"] for each in people)
            return _answer(202)
        self.events.update(each.get("attributes", each)["unique_id"] for _, each in self._events(action, body))
        return _answer(202)


def _answer(status, document=None):
    headers = {"content-type": "application/vnd.api+json"}
    return Response(status, httpx.Headers(headers), orjson.dumps(document) if document is not None else b"")


class Travelers:
    """An application that calls, and workers that carry out."""

    def __init__(self, client, monkeypatch):
        self.client, self.clock, self.klaviyo = client, Clock(), Klaviyo()
        self.governor = Governor(client, clock=self.clock)
        self.mortal = Mortal(self.governor)
        self.ends, self.pops, self.told, self.expiring = {}, 0, [], set()
        client.set("klaviyo:born", self.clock.ms - 100_000)
        self.governor.beat("worker", 1_000, list(QUEUES), 10**6)
        for module in (carrying_out, riding):
            monkeypatch.setattr(module, "get_governor", lambda: self.mortal)
        monkeypatch.setattr(execution, "send", self.klaviyo)
        monkeypatch.setattr(execution, "get_client", lambda: None)

    def call(
        self, name, task_id, *, account="default", lane="now", expires=None, follows=None, together=None, delay=0.0,
        **params,
    ):  # fmt: skip
        """Publish a call as a caller of ours does."""
        declaration = ACTIONS[name].declaration
        bound = declaration.bind(params, task_id)
        once = not declaration.repeat_of(bound).blindly
        shared = traveling(declaration, account, bound, once, together)
        line = declaration.line(account, bound)
        until = Expiry(expires) if expires else None
        if expires:
            self.expiring.add(task_id)
        blindly = declaration.repeat_of(bound).blindly and not declaration.resolve
        wait = {**header(line, lane, delay, until, blindly, shared), "account": account}
        body = base64.b64encode(orjson.dumps([[], bound, follows or {}])).decode()
        headers = {"id": task_id, "task": f"klaviyo.{name}", HEADER: wait, "argsrepr": "()", "kwargsrepr": "{}"}
        message = orjson.dumps({"body": body, "headers": headers, "properties": {"body_encoding": "base64"}}).decode()
        self.governor.wait((line.name, line.spec), lane, task_id, message, delay, until, False, shared)

    def take(self, most=8):
        """What a worker takes: each delivery's tag and its message."""
        self.pops += 1
        place = Delivery(UNACKED, UNACKED_INDEX, f"pop{self.pops}")
        found = self.governor.take(place, 60_000, most, [*QUEUES])
        taken = []
        for number, (_, raw, claimed) in enumerate(found, start=1):
            tag = f"pop{self.pops}:{number}"
            if claimed:
                prefetched_leases.remember_lease(tag, claimed)
            taken.append((tag, json.loads(raw)))
        return taken

    def carry_out(self, tag, message):
        """One delivery, in a worker's thread; what Celery would do at its end is noted in `ends`."""
        headers = message["headers"]
        task_id, name = headers["id"], headers["task"].removeprefix("klaviyo.")
        delivery = Delivery(UNACKED, UNACKED_INDEX, tag)
        if name == "together":
            if not riding.ride(app, task_id, delivery, lambda kind, **about: self.told.append((kind, about["uuid"]))):
                self.client.hdel(UNACKED, tag)
            return
        _, kwargs, _ = orjson.loads(base64.b64decode(message["body"]))
        context = Context({**headers, "klaviyo_delivery": (UNACKED, UNACKED_INDEX, tag)})
        try:
            end = carrying_out.run(ACTIONS[name].declaration, context, (), kwargs)
        except Revoked as revoked:
            if revoked.expired:
                self.governor.revoke(task_id, revoked.reason)
            end = REVOKED
        except (Retry, Ignore):
            return
        except KlaviyoError as error:
            end = error
        self.ended(task_id, end)
        self.governor.done(task_id)
        self.client.hdel(UNACKED, tag)

    def ended(self, task_id, end):
        self.ends.setdefault(task_id, []).append(end)

    def restore(self):
        """Whoever held something is dead: others put it back, a while later."""
        self.clock.wait(15)
        for tag, stored in self.client.hgetall(UNACKED).items():
            message, _, queue = json.loads(stored)
            wait = message["headers"].get(HEADER)
            line = (wait["line"], wait["spec"]) if wait else None
            shared = together_of(wait) if wait else ALONE
            place = Delivery(UNACKED, UNACKED_INDEX, tag.decode())
            lane, task_id = wait["lane"] if wait else "", message["headers"]["id"]
            self.governor.restore(place, queue, line, lane, task_id, json.dumps(message), shared)
        prefetched_leases._leases.clear()

    def tick(self):
        """The governor looks again, a moment later."""
        self.clock.wait(0.02)
        self.governor.tick()

    def work(self, seconds=0.02, most=8):
        """A worker takes what there is and carries it out, until nothing more comes at this moment."""
        self.clock.wait(seconds)
        self.governor.tick()
        while taken := self.take(most):
            for tag, message in taken:
                self.carry_out(tag, message)
        return self

    def work_all(self, seconds=400, step=1.0):
        """Work until nothing waits."""
        for _ in range(int(seconds / step)):
            self.work(step)
            if not self.left():
                return self
        raise AssertionError(f"left: {self.left()}")

    def left(self):
        """Where anything is that has not ended."""
        found = {name: self.client.hlen(name) for name in ("klaviyo:waiting", "klaviyo:riding", UNACKED)}
        found |= {queue: self.client.llen(queue) for queue in QUEUES}
        return {name: count for name, count in found.items() if count}

    def outcome(self, task_id):
        """How a call ended, once: by the step that ended several, or by itself."""
        stored = self.client.get(f"celery-task-meta-{task_id}")
        told = orjson.loads(stored) if stored else {"status": "PENDING"}
        own = self.ends.get(task_id, [])
        found = [*own, *([told["result"]] if told["status"] == "SUCCESS" else [])]
        assert len(found) == 1, (task_id, own, told)
        return found[0]

    def state(self, task_id):
        stored = self.client.get(f"celery-task-meta-{task_id}")
        return orjson.loads(stored)["status"] if stored else None
