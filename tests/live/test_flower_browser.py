"""Flower in a real browser: what an operator sees, with fifty thousand tasks waiting, and without Redis."""

import pytest

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
    """The rows of Flower's page of tasks, as lists of what each cell says: all at once, as they may be drawn anew."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#tasks-table tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )


def wait_for_row(browser, flower, state, name, said):
    """Wait for a row with this state, this name and these words in it, and return all rows that are shown then.

    Flower draws its list once: what it learns later is shown by the page that is loaded anew.
    """
    address, seen = f"{flower}/tasks?state={state}&name={name}", []

    def found():
        browser.get(address)
        until(lambda: [row for row in rows(browser) if row[0] != "Loading..."], 10, "the list of tasks")
        seen[:] = rows(browser)
        return any(name in row[0] and said in " ".join(row) for row in seen)

    until(found, 20, lambda: f"{name} as {state} with {said!r}; the list has {seen[:3]}")
    return seen


def wait_for_page(browser, address, expected=bool):
    """Wait until what can be read on a page is as expected, loading it anew until it is; the value is the text."""
    seen = [""]

    def found():
        browser.get(address)
        seen[:] = [text_of(browser)]
        return expected(seen[0])

    until(found, 20, lambda: f"what is expected at {address}, which says: {seen[0]}")
    return seen[0]


def has(*words):
    """Whether a text has each of these."""
    return lambda text: all(each in text for each in words)


def has_crowd(text):
    """Whether one of the counts in a text is that of the tasks that wait, of which a worker has taken some."""
    counts = [int(each.replace(",", "")) for each in text.split() if each.replace(",", "").isdigit()]
    return any(CROWD - 3_000 < each <= CROWD for each in counts)


def test_an_operator_sees_in_a_browser_what_waits_what_failed_and_why(system, browser):
    shown = {}
    with open_flower(system, STORE_URL=f"sqlite:///{system.folder}/none.db") as flower:
        job = make_scene(system)
        # How many wait on which account, until when; which bucket is blocked; which job failed.
        expected = {
            "limits": has("night-shift", "Klaviyo answered 429"),
            "imports": has("38% 18,000 11,500 12"),
            "jobs": has("import_profiles a refused"),
        }
        for name in TABS:
            shown[name] = wait_for_page(browser, f"{flower}/klaviyo/{name}", expected.get(name, bool))
        for name in ("workers", "tasks"):
            shown[name] = wait_for_page(browser, f"{flower}/{name}")
        shown["broker"] = wait_for_page(browser, f"{flower}/broker", has_crowd)
        wait_for_row(browser, flower, "WAITING", "klaviyo.get_profiles", "before it in lane bulk")
        failed = wait_for_row(browser, flower, "FAILURE", "klaviyo.job", "The email address was refused")
        assert not any("job_spawn" in row[0] for row in failed)
        shown["failures"] = text_of(browser)
        wait_for_row(browser, flower, "SUCCESS", "klaviyo.create_profile", "successful, data: profile, 1 attempt")
        shown["job"] = wait_for_page(browser, f"{flower}/klaviyo/jobs/{job}")
        assert complaints(browser) == []

        # Without Redis every page still answers, and the Klaviyo pages say what is wrong.
        system.server.stop()
        try:
            for name in (*TABS, "tasks"):
                browser.get(f"{flower}/{name if name in OWN else f'klaviyo/{name}'}")
                shown[f"{name} without Redis"] = text_of(browser)
            wait_for_page(browser, f"{flower}/klaviyo/limits", has("Redis cannot be reached"))
        finally:
            system.server.start_again()
        assert [each for each in complaints(browser) if "500" not in each and "503" not in each] == []
    secrets = (PERSON, KEY, "ada@")
    assert {place: text for place, text in shown.items() if any(secret in text for secret in secrets)} == {}
