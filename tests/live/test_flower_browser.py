"""Flower in a real browser: what an operator sees, with fifty thousand tasks waiting, and without Redis."""

import pytest
from selenium.webdriver.common.by import By

from tests.conftest import missing
from tests.live.flower_scene import (
    CROWD,
    OWN,
    PERSON,
    TABS,
    complaints,
    find_chromium,
    make_scene,
    open_browser,
    open_flower,
    text_of,
)
from tests.live.system import KEY, until


@pytest.fixture
def browser():
    if find_chromium() is None:
        missing("Flower's pages need chromium and chromedriver (apt-get install chromium chromium-driver)")
    with open_browser() as opened:
        yield opened


def rows(browser):
    """The rows of Flower's page of tasks, as lists of what each cell says."""
    found = browser.find_elements(By.CSS_SELECTOR, "#tasks-table tbody tr")
    return [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in found]


def filtered(browser, flower, state, name, seconds=20):
    """The rows in a state, as soon as there is one with this name."""
    browser.get(f"{flower}/tasks?state={state}&name={name}")
    until(lambda: any(name in row[0] for row in rows(browser) if row), seconds, f"{name} as {state}")
    return [row for row in rows(browser) if name in row[0]]


def test_an_operator_sees_in_a_browser_what_waits_what_failed_and_why(system, browser):
    shown = {}
    with open_flower(system, STORE_URL=f"sqlite:///{system.folder}/none.db") as flower:
        job = make_scene(system)
        for name in TABS:
            browser.get(f"{flower}/klaviyo/{name}")
            shown[name] = until(lambda: text_of(browser), 10, name)
        for name in OWN:
            browser.get(f"{flower}/{name}")
            shown[name] = text_of(browser)
        # How many wait on which account, until when; which bucket is blocked; which job failed.
        until(lambda: "night-shift" in text_of(browser) or browser.get(f"{flower}/klaviyo/limits"), 10, "the pause")
        shown["limits"] = text_of(browser)
        assert "Klaviyo answered 429" in shown["limits"]
        waiting = filtered(browser, flower, "WAITING", "klaviyo.get_profiles")
        assert any("before it in lane bulk" in " ".join(row) for row in waiting)
        failed = filtered(browser, flower, "FAILURE", "klaviyo.job")
        assert any("The email address was refused" in " ".join(row) for row in failed)
        assert not any("job_spawn" in row[0] for row in rows(browser) if row)
        shown["failures"] = text_of(browser)
        done = filtered(browser, flower, "SUCCESS", "klaviyo.create_profile")
        assert any("successful, data: profile, 1 attempt" in row for row in done)
        browser.get(f"{flower}/klaviyo/jobs/{job}")
        shown["job"] = text_of(browser)
        counts = [int(each.replace(",", "")) for each in shown["broker"].split() if each.replace(",", "").isdigit()]
        assert any(CROWD - 3_000 < each <= CROWD for each in counts), shown["broker"]
        assert "38% 18,000 11,500 12" in shown["imports"]
        assert "import_profiles a refused" in shown["jobs"]
        assert complaints(browser) == []

        # Without Redis every page still answers, and the Klaviyo pages say what is wrong.
        system.server.stop()
        try:
            for name in (*TABS, "tasks"):
                browser.get(f"{flower}/{name if name in OWN else f'klaviyo/{name}'}")
                shown[f"{name} without Redis"] = text_of(browser)
            until(
                lambda: "Redis cannot be reached" in text_of(browser) or browser.get(f"{flower}/klaviyo/limits"),
                20,
                "what is wrong",
            )
        finally:
            system.server.start_again()
        assert [each for each in complaints(browser) if "500" not in each and "503" not in each] == []
    secrets = (PERSON, KEY, "ada@")
    assert {place: text for place, text in shown.items() if any(secret in text for secret in secrets)} == {}
