"""Two accounts with private keys of one company, through a real worker."""

from __future__ import annotations

from tasks.metrics import get_metrics
from tests.live.system import failures, until
from worker.app import app
from worker.process.bootstep import LEARN_COMPANIES


def test_accounts_with_keys_of_one_company_stay_within_its_limit(system):
    # get_metrics: ten a second for both together.
    system.sandbox._door("POST", "/keys", account="a", key="pk_twin")
    system.redis.delete("klaviyo:companies")
    system.worker(ACCOUNTS__B__API_KEY="pk_twin").ready()
    app.send_task(LEARN_COMPANIES)
    until(lambda: system.redis.hlen("klaviyo:companies") == 4, 10, "four keys whose company is known")
    until(lambda: system.redis.hgetall("klaviyo:shared") == {"b": "a"}, 10, "the limit that two of them share")

    ends = system.ended([get_metrics.on(alias).delay().id for _ in range(12) for alias in ("a", "b")], 20)

    assert failures(ends) == {}
    assert system.sandbox.statuses("get_metrics") == [200] * 24
