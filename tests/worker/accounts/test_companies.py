"""Which company each private key belongs to is asked once, and only where there are several keys."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from tasks.companies import LearnCompanies, NoteCompany
from worker.accounts.companies import ASK_AGAIN_S, find_accounts_to_learn, find_parted, learn_company, sharing
from worker.accounts.credentials import Grant
from worker.accounts.lookup import account
from worker.accounts.stored import get_account_store
from worker.errors import ScopeMissing
from worker.governor import get_governor
from worker.one_per_process import forget
from worker.redis.homes import at_home, at_redis
from worker.settings import get_settings

GRANT = Grant("g1", SecretStr("at_secret"), SecretStr("rt_secret"), 1.0, 3601.0, frozenset({"lists:read"}))
ANSWER = {"data": [{"type": "account", "id": "SHP001", "attributes": {}}], "error": None, "successful": True}


@pytest.fixture
def redis(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    return client


@pytest.fixture
def asked(monkeypatch):
    """The accounts for which `get_accounts` was published, and what is done with the answer."""
    found = {}

    def publish(klaviyo_account, klaviyo_lane, link):
        found[klaviyo_account] = klaviyo_lane, link

    monkeypatch.setattr("tasks.companies.get_accounts", SimpleNamespace(apply_async=publish))
    return found


def names():
    return [each.alias for each in find_accounts_to_learn(get_settings())]


def note(alias, fingerprint=None, answer=ANSWER):
    NoteCompany().run(answer, alias, fingerprint or account(get_settings(), alias).fingerprint)


def test_klaviyo_is_asked_about_each_key_once(redis, asked):
    LearnCompanies().run()
    assert {alias: lane for alias, (lane, _) in asked.items()} == {"default": "bulk", "eu": "bulk"}

    asked.clear()
    LearnCompanies().run()
    assert asked == {}
    left = [redis.ttl(key) for key in redis.scan_iter("klaviyo:companies:asked:*")]
    assert len(left) == 2
    assert all(ASK_AGAIN_S - 60 < seconds <= ASK_AGAIN_S for seconds in left)


def test_the_answer_lets_accounts_of_one_company_share(redis, asked):
    LearnCompanies().run()
    for alias, (_, link) in asked.items():
        assert link.task == "klaviyo.note_company"
        NoteCompany().run(ANSWER, *link.args)
        assert link.args[0] == alias

    assert names() == []
    assert (sharing("default"), sharing("eu")) == (["eu"], ["default"])


def test_a_single_key_needs_no_question(redis, settings):
    settings.delenv("KLAVIYO_ACCOUNTS__EU__API_KEY")
    forget()
    get_account_store().change("shop", grant=GRANT)

    assert names() == []


def test_another_key_is_asked_about_again(redis, settings, asked):
    for alias in ("default", "eu"):
        note(alias)
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_another")
    forget()

    LearnCompanies().run()

    assert list(asked) == ["eu"]


def test_an_answer_about_a_key_that_was_replaced_meanwhile_is_dropped(redis):
    note("eu", "the former one")

    assert get_governor().companies() == {}


@pytest.mark.parametrize("answer", [{"data": []}, {"data": None}, {"data": [{"type": "account"}]}])
def test_an_answer_that_names_no_company_changes_nothing(redis, answer):
    note("eu", answer=answer)

    assert get_governor().companies() == {}


def test_an_account_that_changes_to_oauth_has_a_budget_of_its_own(redis, asked):
    get_account_store().change("shop", api_key=SecretStr("pk_shop"))
    for alias in ("default", "shop"):
        note(alias)
    get_account_store().change("shop", grant=GRANT)
    assert names() == ["eu", "shop"]

    LearnCompanies().run()

    assert list(asked) == ["eu"]
    assert sharing("default") == []


def test_a_key_that_is_known_to_lack_the_scope_is_left_alone(redis, monkeypatch):
    def refuse(**options):
        raise ScopeMissing("get_accounts", "eu", ["accounts:read"], "Make a key that has it")

    monkeypatch.setattr("tasks.companies.get_accounts", SimpleNamespace(apply_async=refuse))

    LearnCompanies().run()

    assert names() == ["default", "eu"]


def test_no_key_is_kept_with_what_was_learned(redis):
    learn_company(account(get_settings(), "eu"), "SHP001")

    assert b"pk_eu" not in b"".join(redis.hgetall("klaviyo:companies").values())


@pytest.fixture
def divided(two_redis):
    """A key of one company on either Redis."""
    for alias in ("outlet", "shop"):
        with at_home(alias):
            learn_company(account(get_settings(), alias), "SHP001")
    return two_redis


def test_a_company_is_asked_about_even_if_its_key_is_the_only_one_on_its_redis(two_redis, settings):
    settings.delenv("KLAVIYO_API_KEY")
    forget()

    assert names() == ["outlet"]


def test_accounts_of_one_company_on_two_redis_are_found(divided):
    [found] = find_parted(get_settings())

    assert str(found) == (
        "accounts outlet (on main) and shop (on eu) have keys of the company SHP001, and no Redis knows what others "
        "send, so that together they exceed Klaviyo's limits: let them live on one"
    )


def test_so_are_those_with_one_key_of_which_nobody_knows_the_company(two_redis, settings):
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__API_KEY", "pk_outlet")
    forget()

    [found] = find_parted(get_settings())
    assert found.accounts == (("outlet", "main"), ("shop", "eu"))
    assert "pk_" not in str(found)


def test_accounts_of_one_company_on_one_redis_are_not_parted(two_redis):
    with at_redis("eu"):
        for alias in ("shop", "stored"):
            learn_company(account(get_settings(), alias), "SHP001")

    assert find_parted(get_settings()) == []


def test_an_account_whose_key_was_replaced_is_not_judged_by_the_old_one(divided, settings):
    settings.setenv("KLAVIYO_ACCOUNTS__SHOP__API_KEY", "pk_of_another_company")
    forget()

    assert find_parted(get_settings()) == []


def test_a_worker_that_learns_that_a_company_is_divided_says_so(divided, caplog):
    NoteCompany().run(ANSWER, "outlet", account(get_settings(), "outlet").fingerprint)

    assert caplog.text.count("accounts outlet (on main) and shop (on eu) have keys of the company SHP001") == 1
