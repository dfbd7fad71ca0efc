"""How a pause ends: one sentence with one command, the same wherever the pause is shown."""

import pytest

from cli.accounts.rows import state_of
from cli.flower.waiting_notes import explain_wait
from cli.limits import describe_pause
from worker.accounts.credentials import Account
from worker.carrying_out import pause_account
from worker.errors import CredentialsFailed, Unauthorized
from worker.governor import Pause, get_governor
from worker.governor.backlog import LineBacklog, Waiting
from worker.process.checks import check_redis

LINE = ("eu:get_lists", "klaviyo.l;eu:get_lists=75:1000")
EU = Account("eu", None, "ABC123")


def told_everywhere(pause):
    """What shows a pause: `klaviyo limits` and Limits, Accounts, a waiting task's row."""
    line = LineBacklog(*LINE, now=1, bulk=0, later=0)
    task = Waiting("a-task", "now", 1, None, None)
    return [describe_pause(pause), state_of(EU, pause), explain_wait(task, line, {}, [pause], 1_800_000_000.0)]


@pytest.mark.parametrize(
    ("key", "remedy", "sentence"),
    [
        ("", "", "To resume it, run `klaviyo resume --account eu`."),
        (
            "abc",
            "run `klaviyo accounts rotate eu`",
            "To resume it, run `klaviyo accounts rotate eu`. It goes on by itself when a try succeeds, without "
            "`klaviyo resume`.",
        ),
        (
            "abc",
            "",
            "To resume it, replace its credentials. It goes on by itself when a try succeeds, without "
            "`klaviyo resume`.",
        ),
    ],
)
def test_wherever_a_pause_is_shown_the_same_sentence_says_how_it_ends(key, remedy, sentence):
    pause = Pause("account:eu", "a worker", "Klaviyo answered 401 to get_lists", 1.0, None, key, remedy)

    for told in told_everywhere(pause):
        assert f": Klaviyo answered 401 to get_lists. {sentence}" in told
        assert "paused automatically" in told


@pytest.mark.parametrize(
    ("error", "why", "remedy"),
    [
        (
            Unauthorized("get_lists", "default", 401, [{"detail": "Incorrect key", "id": "an-id"}]),
            "Klaviyo answered 401 to get_lists: Incorrect key",
            "check its key at Klaviyo first; if that is no longer valid, set KLAVIYO_API_KEY and restart the workers, "
            "beat and Flower",
        ),
        (
            CredentialsFailed("get_lists", "default", "Klaviyo has withdrawn its grant", "run `klaviyo accounts …`"),
            "Klaviyo has withdrawn its grant",
            "run `klaviyo accounts …`",
        ),
    ],
)
def test_a_worker_says_in_a_few_words_why_it_paused_and_apart_from_that_what_to_do(
    settings, real_redis, error, why, remedy
):
    pause_account(error)

    [pause] = get_governor().paused()
    assert (pause.why, pause.remedy) == (why, remedy)
    [told] = [each.text for each in check_redis() if each.what == "paused"]
    assert pause.how_to_resume in told


def test_a_pause_of_an_earlier_version_can_still_be_read(real_redis):
    real_redis.hset("klaviyo:paused", "account:eu", b'0|0|{"by": "ann", "why": "w", "since": 1, "key": ""}')

    [pause] = get_governor().paused()

    assert pause.how_to_resume == "To resume it, run `klaviyo resume --account eu`."
