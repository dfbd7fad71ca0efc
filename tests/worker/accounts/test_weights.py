"""The weights of accounts: where they are set, and how the governor hears of them."""

import pytest
from pydantic import SecretStr

from worker.accounts.stored import get_account_store
from worker.accounts.weights import set_all_weights, set_weights
from worker.errors import SettingsError
from worker.one_per_process import forget
from worker.settings import get_settings


@pytest.fixture
def redis(settings, client, monkeypatch):
    settings.setenv("KLAVIYO_SECRET_KEY", "k" * 40)
    settings.setenv("KLAVIYO_WEIGHT", "2")
    settings.setenv("KLAVIYO_ACCOUNTS__EU__API_KEY", "pk_eu")
    settings.setenv("KLAVIYO_ACCOUNTS__EU__WEIGHT", "3")
    settings.setenv("KLAVIYO_ACCOUNTS__US__API_KEY", "pk_us")
    forget()
    monkeypatch.setattr("worker.redis.connection._client", lambda timeouts: client)
    return client


def weights(redis):
    return {account.decode(): int(weight) for account, weight in redis.hgetall("klaviyo:weights").items()}


def test_a_worker_tells_the_weights_of_the_settings_and_of_the_store_at_its_start(redis):
    get_account_store().change("shop", api_key=SecretStr("pk_shop"), weight=4)
    redis.hset("klaviyo:weights", "gone", "5")

    set_all_weights(get_settings())

    assert weights(redis) == {"default": 2, "eu": 3, "shop": 4}


def test_a_weight_that_changes_counts_while_the_system_runs(redis):
    get_account_store().change("shop", api_key=SecretStr("pk_shop"), weight=4)
    set_weights(get_settings(), ["shop"])
    assert weights(redis) == {"shop": 4}

    get_account_store().change("shop", weight=1)
    set_weights(get_settings(), ["shop"])
    assert weights(redis) == {}


def test_an_account_that_is_removed_has_no_weight(redis):
    get_account_store().change("shop", api_key=SecretStr("pk_shop"), weight=4)
    set_weights(get_settings(), ["shop"])
    get_account_store().remove("shop")

    set_weights(get_settings(), ["shop"])

    assert weights(redis) == {}


def test_the_weight_of_an_account_that_cannot_be_read_here_is_left_to_whoever_can(redis, settings):
    get_account_store().change("shop", api_key=SecretStr("pk_shop"), weight=4)
    set_all_weights(get_settings())
    settings.setenv("KLAVIYO_SECRET_KEY", "another-" + "k" * 40)
    forget()

    set_all_weights(get_settings())
    set_weights(get_settings(), ["shop"])

    assert weights(redis) == {"default": 2, "eu": 3, "shop": 4}


def test_a_weight_is_a_whole_number_from_one_on(redis, settings):
    settings.setenv("KLAVIYO_ACCOUNTS__EU__WEIGHT", "0")
    forget()

    with pytest.raises(SettingsError, match="KLAVIYO_ACCOUNTS__EU__WEIGHT: Input should be greater than or equal to 1"):
        get_settings()
