"""Many plausible records at once, always the same for a seed: what a sync of a large account has to read."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from sandbox.reading import listings
from sandbox.records import profiles
from sandbox.records.events import metric_of
from sandbox.records.store import Resource, Store
from sandbox.seeding import other_populations
from sandbox.seeding.plot import Plot
from sandbox.times import YEAR_S, to_iso

FIRST = ("Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Hedy", "Joan", "Ken", "Mary", "Radia")
LAST = ("Allen", "Clarke", "Hamilton", "Hopper", "Kay", "Lamarr", "Liskov", "Lovelace", "Perlman", "Ritchie", "Turing")
CITIES = (("Boston", "MA", "US"), ("Bristol", None, "GB"), ("Lyon", None, "FR"), ("Osaka", None, "JP"))
SORTED_AT_ONCE = (("profile", "updated"), ("event", "datetime"))
"""What is sorted right after sowing, so that no request has to wait for it."""

SERVICE = "shop"
METRICS = ("Placed Order", "Ordered Product", "Viewed Product", "Added to Cart", "Active on Site")
PRODUCTS = ("Cushion", "Lamp", "Mug", "Teapot", "Tray", "Vase")


def sow_profiles(plot: Plot, count: int) -> None:
    """Profiles with fictitious emails, created and changed within the span."""
    first = len(plot.store.ids("profile"))
    for number in range(first, first + count):
        sow_profile(plot, number, *sorted((plot.moment(), plot.moment())))


def sow_profile(plot: Plot, number: int, created: float, updated: float) -> Resource:
    """The profile with this number."""
    store = plot.store
    given, family = plot.one(FIRST), plot.one(LAST)
    email = f"{given}.{family}.{number}@{store.alias}.example".lower()
    city, region, country = plot.one(CITIES)
    attributes = profiles.blank(to_iso(created))
    attributes |= {"email": email, "first_name": given, "last_name": family, "updated": to_iso(updated)}
    attributes["location"] |= {"city": city, "region": region, "country": country}
    attributes["properties"] = {"tier": plot.one((1, 2, 3)), "newsletter": plot.one((False, True))}
    profile = store.add("profile", attributes)
    store.set_owner("email", email, profile.id)
    if store.everyone:
        store.link(store.everyone, "profiles", profile, created)
    return profile


def sow_events(plot: Plot, count: int) -> None:
    """Events of several metrics within the span, each of a random profile."""
    _sow_events(plot, [plot.moment() for _ in range(count)])


def sow_event(plot: Plot, profile: Resource, metric: Resource, second: int) -> None:
    """One event, with an id so random that it need not be checked for uniqueness."""
    at, digits = to_iso(second), f"{plot.random.getrandbits(192):048x}"
    uuid = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
    price = 5 + int(digits[12:16], 16) / 100
    properties = {"ProductName": plot.one(PRODUCTS), "$value": price, "$event_id": uuid}
    attributes = {"timestamp": second, "event_properties": properties, "datetime": at, "uuid": uuid}
    event = plot.store.add("event", attributes, digits[32:])
    plot.store.link(event, "profile", profile, second)
    plot.store.link(event, "metric", metric, second)
    last = profile.attributes["last_event_date"]
    if last is None or last < at:
        profile.attributes["last_event_date"] = at


def sow_future_events(plot: Plot, count: int) -> None:
    """Events up to a year in the future."""
    _sow_events(plot, [plot.now + plot.random.random() * YEAR_S for _ in range(count)])


def sow_equal_times(plot: Plot, count: int) -> None:
    """Profiles created and changed in this very second, each with an event in it."""
    metric = metric_of(plot.store, SERVICE, METRICS[0], plot.now)
    first = len(plot.store.ids("profile"))
    for number in range(first, first + count):
        sow_event(plot, sow_profile(plot, number, plot.now, plot.now), metric, int(plot.now))


SOWERS: Mapping[str, Callable[[Plot, int], None]] = {
    "profiles": sow_profiles,
    "events": sow_events,
    **other_populations.SOWERS,
}
"""What can be sown, in an order in which each finds what it needs."""


def sow(
    store: Store, counts: Mapping[str, int], *, now: float, members: int = 0, days: float = 30.0, seed: int = 0
) -> None:
    """Add so many records of each kind, with their times spread over the last `days`.

    `members` is how many profiles join each list and segment.
    """
    unknown = counts.keys() - SOWERS.keys()
    if unknown:
        raise ValueError(f"cannot sow {', '.join(sorted(unknown))}; known: {', '.join(SOWERS)}")
    with _without_collector():
        for name, sowing in SOWERS.items():
            if name in counts:
                plot = plot_of(store, name, seed, now, days, members)
                with store.drawing_from(plot.random):
                    sowing(plot, counts[name])
        for type, field in SORTED_AT_ONCE:
            listings.prepare(store, type, field)


def plot_of(store: Store, purpose: str, seed: int, now: float, days: float = 0.0, members: int = 0) -> Plot:
    """A plot whose random numbers depend on the seed, the purpose and what is already there."""
    present = sum(store.counts().values())
    return Plot(store, Random(f"{seed}/{store.alias}/{purpose}/{present}"), now, days * 86_400, members)


def _sow_events(plot: Plot, times: Sequence[float]) -> None:
    people = list(plot.store.all("profile"))
    if not people:
        raise ValueError("events need profiles: there are none in this account")
    metrics = [metric_of(plot.store, SERVICE, name, plot.now) for name in METRICS]
    # One profile after the other, which is a third faster than jumping between a hundred thousand.
    whose = sorted(int(plot.random.random() * len(people)) for _ in times)
    for at, time in zip(whose, times, strict=True):
        sow_event(plot, people[at], plot.one(metrics), int(time))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from scanning a million permanent objects again and again, now or later."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()
