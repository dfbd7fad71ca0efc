"""Any mix of calls, lanes, expiries, revocations, refusals and faults, and workers that die at any step."""

import random
from itertools import pairwise

import pytest

from tests.worker.together.travelers import REVOKED, Killed, Travelers
from worker.errors import BadRequest, NotFound, OutcomeUnknown, Unavailable
from worker.one_per_process import forget

#: Most requests of each action in a second and in a minute.
LIMITS = {
    "create_event": (350, 3_500),
    "bulk_create_events": (10, 150),
    "get_profile": (75, 750),
    "get_profiles": (75, 750),
    "add_profiles_to_list": (10, 150),
    "bulk_subscribe_profiles": (75, 750),
}
CONSENT = {"email": {"marketing": {"consent": "SUBSCRIBED"}}}


@pytest.fixture
def travelers(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_MAX_ATTEMPTS", "4")
    settings.setenv("KLAVIYO_BACKOFF_MAX_SECONDS", "2")
    for account in ("EU", "US"):
        settings.setenv(f"KLAVIYO_ACCOUNTS__{account}__API_KEY", f"pk_{account}")
    forget()
    made = Travelers(client, monkeypatch)
    for account in ("default", "eu"):
        made.governor.join(account, account, "one company")
    made.klaviyo.clock = made.clock
    return made


def publish(travelers, rng, number):
    """One call of some kind; returns what kind that is."""
    lane = rng.choice(["now", "bulk"])
    expires = rng.choice([None, None, None, rng.uniform(0.5, 30)])
    options = {
        "account": rng.choice(["default", "default", "eu", "us"]),
        "lane": lane,
        "expires": expires,
        "together": rng.random() > 0.1,
        "delay": rng.choice([0.0, 0.0, 0.0, rng.uniform(0.5, 20)]),
        "follows": rng.choice([None, None, {"callbacks": [{"task": "after"}]}]),
    }
    kind = rng.choice(["event", "event", "event", "twin", "edit", "profile", "member", "consent"])
    name = f"{kind}-{number}"
    if kind in ("event", "edit", "twin"):
        who = {"email": f"p{rng.randrange(30)}@example.com"}
        if kind == "edit":
            who["patch_properties"] = {"append": {"tags": str(number)}}
        id = f"twin-{rng.randrange(9)}" if kind == "twin" else name
        travelers.call("create_event", name, metric="M", profile=who, unique_id=id, **options)
        if kind != "twin" and rng.random() < 0.05:
            travelers.klaviyo.bad.add(name)
    elif kind == "profile":
        if rng.random() < 0.9:
            travelers.klaviyo.profiles.add(name)
        travelers.call("get_profile", name, id=name, **options)
    elif kind == "member":
        travelers.call("add_profiles_to_list", name, list_id=f"L{rng.randrange(2)}", profile_ids=[name], **options)
    else:
        people = [{"email": f"{name}@example.com", "subscriptions": CONSENT}]
        travelers.call("bulk_subscribe_profiles", name, list_id="L", profiles=people, **options)
    return name


@pytest.mark.parametrize("seed", range(12))
def test_each_call_ends_once_as_it_would_have_alone(travelers, seed):
    rng = random.Random(seed)
    klaviyo, names, revoked = travelers.klaviyo, [], set()
    klaviyo.points = seed % 2 == 0
    travelers.governor.beat("worker", rng.choice([2, 8, 40]), ["klaviyo.m", "klaviyo.l", "klaviyo.xl"], 10**6)

    for _ in range(rng.randrange(12, 25)):
        names += [publish(travelers, rng, len(names) + number) for number in range(rng.choice([1, 5, 40]))]
        if rng.random() < 0.3:
            klaviyo.script.append(rng.choice([None, 429, 503, "cut", "killed"]))
        if rng.random() < 0.2:
            victim = rng.choice(names)
            travelers.governor.revoke(victim, "revoked")
            revoked.add(victim)
        travelers.mortal.steps = 0
        travelers.mortal.dies = (rng.randrange(1, 40), rng.choice(["before", "after"])) if rng.random() < 0.4 else None
        try:
            travelers.work(rng.choice([0.02, 0.5, 3.0]))
        except Killed:
            travelers.mortal.dies = None
            travelers.restore()
    travelers.mortal.dies = None
    klaviyo.script.clear()
    travelers.work_all()

    for name in names:
        assert_ended_well(travelers, name, revoked)
    once = [klaviyo.events[name] for name in names if name.startswith("edit")]
    once += [klaviyo.members[f"{name}@example.com"] for name in names if name.startswith("consent")]
    assert max(once, default=0) <= 1
    assert_within_limits(klaviyo)


def assert_ended_well(travelers, name, revoked):
    """One call has ended once, and in a way in which it could have ended alone."""
    klaviyo, end, kind = travelers.klaviyo, travelers.outcome(name), name.partition("-")[0]
    if end == REVOKED:
        assert name in revoked | travelers.expiring
    elif isinstance(end, OutcomeUnknown):
        assert kind in ("edit", "consent")
    elif isinstance(end, Unavailable):
        assert end.attempts == 4
    elif isinstance(end, NotFound):
        assert name not in klaviyo.profiles
    elif isinstance(end, BadRequest):
        assert name in klaviyo.bad
    else:
        assert end["successful"]
        assert name not in klaviyo.bad
        assert kind not in ("event", "edit") or klaviyo.events[name] >= 1
        assert kind != "profile" or end["data"]["id"] == name
    assert not (name in klaviyo.bad and klaviyo.events[name])


def assert_within_limits(klaviyo):
    for action, (burst, steady) in LIMITS.items():
        for company in ({"default", "eu"}, {"us"}):
            times = sorted(at for name, at, account in klaviyo.arrivals if name == action and account in company)
            for limit, length in ((burst, 1_000), (steady, 60_000)):
                for first, last in zip(times, times[limit:], strict=False):
                    assert last - first >= length, action
    assert all(a <= b for a, b in pairwise([at for _, at, _ in klaviyo.arrivals]))
