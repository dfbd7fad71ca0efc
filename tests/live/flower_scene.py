"""Flower in a browser, and something to see in it: what waits, what runs, what has failed, what is blocked."""

from __future__ import annotations

import shutil
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By

from tasks.events import create_event
from tasks.jobs import run_job
from tasks.jobs.import_runs import get_runs
from tasks.lists import create_list, get_lists
from tasks.profiles import bulk_import_profiles, create_profile, get_profile, get_profiles
from tasks.tags import get_tags
from tests.live.flower import OPEN, running_flower
from tests.live.system import System
from worker.governor import get_governor

#: Nobody of these exists; the sandbox rejects the one and refuses the other.
PERSON = "ada@example.com"
REJECTED, REFUSED = "ada@reject.example", "ada@refused.example"

#: How many tasks wait in the one line that matters.
CROWD = 50_000

TABS = ("limits", "failures", "jobs", "imports", "syncs", "schedules", "accounts")
#: Flower's own pages.
OWN = ("workers", "tasks", "broker")

WIDTH, HEIGHT = 1_440, 860


def find_chromium() -> tuple[str, str] | None:
    """The browser and its driver; None where one of them is not installed."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def open_browser(dark: bool = False) -> Iterator[webdriver.Chrome]:
    """A headless Chromium, which keeps what its console says."""
    found = find_chromium()
    assert found, "chromium and chromedriver are not installed"
    options = webdriver.ChromeOptions()
    options.binary_location, driver = found
    # Shared memory is small in a container, and its root may not make namespaces.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.set_page_load_timeout(60)
        yield browser
    finally:
        browser.quit()


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the console has said since it was last asked, as far as something is wrong."""
    return [each["message"] for each in browser.get_log("browser") if each["level"] in ("WARNING", "SEVERE")]


def text_of(browser: webdriver.Chrome) -> str:
    """What can be read on the page."""
    return " ".join(browser.find_element(By.TAG_NAME, "body").text.split())


@contextmanager
def open_flower(system: System, **settings: Any) -> Iterator[str]:
    """Flower with these settings; the value is its address."""
    with running_flower({**system.environment(**settings), **OPEN}, system.folder / "flower.log") as url:
        yield url


def make_scene(system: System, crowd: int = CROWD, **settings: Any) -> str:
    """A day at the shop: some work done, a job that failed in part and one that was refused, a call of which nobody
    knows the end, an account whose key is refused, a bucket that another program eats, and a crowd that waits.

    A worker with these settings works on it meanwhile. Return the id of the job that was refused.
    """
    system.worker(**settings).ready()
    done = [
        create_profile.on("a").delay(email=PERSON, first_name="Ada").id,
        get_profile.on("a").delay(id="nobody").id,
        run_job(bulk_import_profiles).on("a").delay(profiles=[{"email": PERSON}, {"email": REJECTED}]).id,
    ]
    refused = run_job(bulk_import_profiles).on("a").delay(profiles=[{"email": REFUSED}]).id
    system.sandbox.fault("cut_after_commit", operation="create_list", times=1)
    done += [create_list.on("a").delay(name="News").id, *(get_profile.on("b").delay(id=f"n{n}").id for n in range(3))]
    system.ended([*done, refused])
    system.sandbox.fault("status", status=401, account="default", times=None)
    get_lists.delay()
    system.sandbox.drain(account="b", operation="get_tags", per_second=0.6)
    system.sandbox.fault("throttle", operation="create_event", retry_after=3600)
    blocked = create_event.on("b").delay(metric="Placed Order", profile={"email": PERSON}).id
    system.reached(blocked, "RETRY", seconds=10)
    get_runs().begin("customers", "profiles", "a", "customers.csv", {"path": "customers.csv"})
    show_import_alive()
    governor = get_governor()
    governor.pause("action:a:get_profiles", "the test", "so that it waits", since=time.time())
    get_profiles.on("a", lane="bulk").delay(page_size=100)
    multiply_waiting(system, crowd)
    governor.resume("action:a:get_profiles")
    create_profile.on("b", countdown=86_400).delay(email=PERSON)
    governor.pause("account:c", "night-shift", "the shop moves", since=time.time())
    get_profile.on("c").delay(id="01H")
    return refused


def see_others() -> None:
    """Ask for something of the bucket that another program eats: its share is told by the answer."""
    get_tags.on("b").delay()


def show_import_alive() -> None:
    """Note how far the import is, as its process does again and again."""
    counts = {"rows": 18_000, "read": 9_000_000, "size": 15_000_000, "checked": 12, "landed": 11_500}
    get_runs().record_progress("customers", "customers.rejects.csv", [("email: not an address", 12)], **counts)


def multiply_waiting(system: System, crowd: int) -> None:
    """Have as many wait in the one line in which a task waits in lane bulk: publishing so many takes a while."""
    [lane] = list(system.redis.scan_iter("klaviyo:bulk:*"))
    [id] = system.redis.lrange(lane, 0, -1)
    stored = system.redis.hget("klaviyo:waiting", id)
    for start in range(1, crowd, 5_000):
        # Flower shows the first eight characters of an id.
        numbers = range(start, min(crowd, start + 5_000))
        copies = {f"{number * 7_919 % 2**20:05x}{id[5:]}": "" for number in numbers}
        copies = {each: stored.replace(id, each) for each in copies}
        pipe = system.redis.pipeline(transaction=False)
        pipe.hset("klaviyo:waiting", mapping=copies)
        pipe.lpush(lane, *copies)
        pipe.execute()


def save_picture(browser: webdriver.Chrome, path: Path, whole: bool = False) -> None:
    """Save what the window shows, or the whole page at six tenths of its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not whole:
        browser.save_screenshot(str(path))
        return
    height = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 0.6}
    # A window as high as the page: what is fixed to its top, such as a bar, stays there.
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False,
    })  # fmt: skip
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    path.write_bytes(b64decode(picture["data"]))
