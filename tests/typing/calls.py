"""Calls of actions, good and bad, for the type checker. Never run.

A bad call carries the error it must be: mypy refuses an ignore that is not needed (``warn_unused_ignores``), so a
call that is no longer an error fails the check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type

from celery import chain, group
from celery.canvas import Signature
from celery.result import AsyncResult, EagerResult

from tasks.events import create_event
from tasks.jobs import run_job
from tasks.lists import add_profiles_to_list, create_list
from tasks.profiles import bulk_import_profiles, create_profile, get_profile, get_profiles, update_profile
from worker.action import Action
from worker.api.filters import F
from worker.api.jsonapi import Envelope
from worker.awaiting import aget

# Good calls, and what they give.

assert_type(create_profile.delay(email="ada@example.com"), AsyncResult[Envelope])
assert_type(create_profile.delay(email=None, properties={"tier": "gold"}), AsyncResult[Envelope])
assert_type(create_profile.on("eu-store", lane="bulk").delay(email="ada@example.com"), AsyncResult[Envelope])
assert_type(create_profile.on(countdown=3600).delay(email="ada@example.com"), AsyncResult[Envelope])
assert_type(create_profile.si(email="ada@example.com"), Signature[Envelope])
assert_type(create_profile(email="ada@example.com"), Envelope)
assert_type(get_profile(id="01ABC", include=["lists"])["data"], Any)
bulk_import_profiles.delay(profiles=[{"email": "ada@example.com", "location": {"city": "London"}}])
create_event.delay(metric="Bought", profile={"email": "ada@example.com"}, value=9.5)
add_profiles_to_list.delay(list_id="XyZ123", emails=["ada@example.com"])
chain(create_list.si(name="Members"), get_profiles.si(page_size=100))
group(create_profile.si(email="ada@example.com"), create_profile.on("eu-store").si(email="ada@example.com"))

assert_type(create_profile.s(email="ada@example.com"), Signature[Envelope])
assert_type(
    create_profile.apply_async(kwargs={"email": "ada@example.com"}, link=create_list.si(name="x")),
    AsyncResult[Envelope],
)
assert_type(create_profile.apply(kwargs={"email": "ada@example.com"}), EagerResult[Envelope])
assert_type(update_profile.signature(kwargs={"first_name": "Ada"}), Signature[Envelope])
assert_type(create_profile.map([{"email": "ada@example.com"}]), group)
assert_type(create_profile.starmap([[{"email": "ada@example.com"}]]), group)
assert_type(create_profile.chunks(({"email": "ada@example.com"} for _ in range(3)), 2), group)
create_profile.on(lane="bulk").on()
create_profile.on(together=False).delay(email="ada@example.com")
assert_type(create_profile.delay_many([{"email": "ada@example.com"}]), list[AsyncResult[Envelope]])
run_job(bulk_import_profiles).on("eu-store", lane="bulk", countdown=60).delay(profiles=[{"email": "ada@example.com"}])


async def from_asyncio() -> None:
    assert_type(await create_profile.adelay(email="ada@example.com"), AsyncResult[Envelope])
    await aget(await create_profile.adelay(email="ada@example.com"), timeout=5)
    await run_job(bulk_import_profiles).adelay(profiles=[{"email": "ada@example.com"}])
    await create_profile.adelay(emial="ada@example.com")  # type: ignore[call-arg]
    await create_profile.adelay(email=7)  # type: ignore[arg-type]
    await aget("an id")  # type: ignore[arg-type]


# A name with a typo.

create_profile.delay(emial="ada@example.com")  # type: ignore[call-arg]
create_profile.on("eu-store").delay(emial="ada@example.com")  # type: ignore[call-arg]
create_profile.si(emial="ada@example.com")  # type: ignore[call-arg]
create_profile.s(emial="ada@example.com")  # type: ignore[call-arg]
create_profile(emial="ada@example.com")  # type: ignore[call-arg]

create_profile.dleay(email="ada@example.com")  # type: ignore[attr-defined]
create_profile.retry()  # type: ignore[attr-defined]

# A value of the wrong type.

create_profile.delay(email=7)  # type: ignore[arg-type]
create_profile.on("eu-store").delay(email=7)  # type: ignore[arg-type]
create_profile.si(email=7)  # type: ignore[arg-type]
create_profile.s(email=7)  # type: ignore[arg-type]
create_profile.map(["ada@example.com"])  # type: ignore[list-item]
create_profile.chunks([{"email": "ada@example.com"}], "two")  # type: ignore[arg-type]
create_profile(email=7)  # type: ignore[arg-type]
get_profiles.delay(page_size="100")  # type: ignore[arg-type]

# A key inside a value, with a typo or of the wrong type.

create_profile.delay(location={"town": "London"})  # type: ignore[arg-type]
create_profile.delay(location={"city": 7})  # type: ignore[arg-type]
bulk_import_profiles.delay(profiles=[{"emial": "ada@example.com"}])  # type: ignore[typeddict-unknown-key]

# What must be there and is not.

create_list.delay()  # type: ignore[call-arg]
create_list.si()  # type: ignore[call-arg]
create_list()  # type: ignore[call-arg]
update_profile.delay(first_name="Ada")  # type: ignore[call-arg]
create_event.delay(profile={"email": "ada@example.com"})  # type: ignore[call-arg]

# A value that is not one of the few allowed.

get_profile.delay(id="01ABC", include=["friends"])  # type: ignore[list-item]
get_profiles.delay(sort="age")  # type: ignore[arg-type]

# By position.

create_list.delay("Members")  # type: ignore[call-arg]
create_list.s("Members")  # type: ignore[call-arg]
create_list.apply_async(("Members",))  # type: ignore[arg-type]
get_profile("01ABC")  # type: ignore[call-arg]

# Where and when.

create_profile.on(lane="slow")  # type: ignore[arg-type]
run_job(bulk_import_profiles).on(lane="slow")  # type: ignore[arg-type]
create_profile.on(7)  # type: ignore[arg-type]
create_profile.on(together="no")  # type: ignore[arg-type]
create_profile.delay_many(["ada@example.com"])  # type: ignore[list-item]
create_profile.on("eu-store", countdown="an hour")  # type: ignore[arg-type]
create_profile.on("eu-store", email="ada@example.com")  # type: ignore[call-arg]

# An action of one signature where one of another is asked for.


def with_a_name(make: Action[[str]]) -> None: ...


with_a_name(get_profiles)  # type: ignore[arg-type]

# Lists read whole.

first: Iterator[Envelope] = get_profiles.pages(sort="created")
whole: AsyncResult[Envelope] = get_profiles.collect(filter=F("email").equals("ada@example.com"))
get_profiles.pages(sort="age")  # type: ignore[arg-type]
get_profiles.collect(fitler="x")  # type: ignore[call-arg]
