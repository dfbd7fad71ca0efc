"""Many plausible records at once, the same for a seed: what a sync of a grown account has to read."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from sandbox.reading import listings
from sandbox.records import profiles
from sandbox.records.events import metric_of
from sandbox.records.store import Resource, Store
from sandbox.seeding import sundries
from sandbox.seeding.plot import Plot
from sandbox.times import YEAR, written

FIRST = ("Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Hedy", "Joan", "Ken", "Mary", "Radia")
LAST = ("Allen", "Clarke", "Hamilton", "Hopper", "Kay", "Lamarr", "Liskov", "Lovelace", "Perlman", "Ritchie", "Turing")
CITIES = (("Boston", "MA", "US"), ("Bristol", None, "GB"), ("Lyon", None, "FR"), ("Osaka", None, "JP"))
READ_BY = (("profile", "updated"), ("event", "datetime"))
"""What is sorted at once, so that no request has to wait for it."""

SERVICE = "shop"
METRICS = ("Placed Order", "Ordered Product", "Viewed Product", "Added to Cart", "Active on Site")
PRODUCTS = ("Cushion", "Lamp", "Mug", "Teapot", "Tray", "Vase")


def sow_profiles(plot: Plot, count: int) -> None:
    """Profiles with emails that nobody has, created and changed within the days."""
    first = len(plot.store.ids("profile"))
    for number in range(first, first + count):
        sow_profile(plot, number, *sorted((plot.moment(), plot.moment())))


def sow_profile(plot: Plot, number: int, created: float, updated: float) -> Resource:
    """The profile with this number."""
    store = plot.store
    given, family = plot.one(FIRST), plot.one(LAST)
    email = f"{given}.{family}.{number}@{store.alias}.example".lower()
    city, region, country = plot.one(CITIES)
    attributes = profiles.blank(written(created))
    attributes |= {"email": email, "first_name": given, "last_name": family, "updated": written(updated)}
    attributes["location"] |= {"city": city, "region": region, "country": country}
    attributes["properties"] = {"tier": plot.one((1, 2, 3)), "newsletter": plot.one((False, True))}
    profile = store.add("profile", attributes)
    store.own("email", email, profile.id)
    if store.everyone:
        store.link(store.everyone, "profiles", profile, created)
    return profile


def sow_events(plot: Plot, count: int) -> None:
    """Events of several metrics within the days, each of some profile."""
    _sow_events(plot, [plot.moment() for _ in range(count)])


def sow_event(plot: Plot, profile: Resource, metric: Resource, second: int) -> None:
    """One event. Its unique id is its own, so that it need not be remembered as taken."""
    at, digits = written(second), f"{plot.random.getrandbits(192):048x}"
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
    """Events whose times lie ahead, up to a year."""
    _sow_events(plot, [plot.now + plot.random.random() * YEAR for _ in range(count)])


def sow_equal_times(plot: Plot, count: int) -> None:
    """Profiles that were all created and changed in this second, each with an event in it."""
    metric = metric_of(plot.store, SERVICE, METRICS[0], plot.now)
    first = len(plot.store.ids("profile"))
    for number in range(first, first + count):
        sow_event(plot, sow_profile(plot, number, plot.now, plot.now), metric, int(plot.now))


SOWN: Mapping[str, Callable[[Plot, int], None]] = {
    "profiles": sow_profiles,
    "events": sow_events,
    **sundries.SOWN,
}
"""What can be sown, in the order in which one needs the other."""


def sow(
    store: Store, counts: Mapping[str, int], *, now: float, members: int = 0, days: float = 30.0, seed: int = 0
) -> None:
    """Add as many records of each kind as are wanted, with their times spread over the days until now.

    `members` is how many profiles join each of the lists and segments.
    """
    unknown = counts.keys() - SOWN.keys()
    if unknown:
        raise ValueError(f"cannot sow {', '.join(sorted(unknown))}; known: {', '.join(SOWN)}")
    with _undisturbed():
        for name, sowing in SOWN.items():
            if name in counts:
                plot = plot_of(store, name, seed, now, days, members)
                with store.drawing_from(plot.random):
                    sowing(plot, counts[name])
        for type, field in READ_BY:
            listings.prepare(store, type, field)


def plot_of(store: Store, purpose: str, seed: int, now: float, days: float = 0.0, members: int = 0) -> Plot:
    """Where to sow, with a randomness that depends on the seed and on what is there."""
    present = sum(store.counts().values())
    return Plot(store, Random(f"{seed}/{store.alias}/{purpose}/{present}"), now, days * 86_400, members)


def _sow_events(plot: Plot, times: Sequence[float]) -> None:
    people = list(plot.store.all("profile"))
    if not people:
        raise ValueError("events need profiles: there are none in this account")
    metrics = [metric_of(plot.store, SERVICE, name, plot.now) for name in METRICS]
    # One profile after the other, which is a third quicker than going back and forth between a hundred thousand.
    whose = sorted(int(plot.random.random() * len(people)) for _ in times)
    for at, time in zip(whose, times, strict=True):
        sow_event(plot, people[at], plot.one(metrics), int(time))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let the collector not walk again and again, now or later, over a million things that stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
