"""Everything that a running sandbox holds, and its initial accounts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from sandbox.config import Config
from sandbox.front.auth import CLIENT_ID, Caller, Credentials
from sandbox.front.faults import Faults
from sandbox.front.limits import Limits
from sandbox.front.request_log import RequestLog
from sandbox.front.windows import Windows
from sandbox.operations import load
from sandbox.reading.traps import Traps
from sandbox.records.job_rules import JobRules
from sandbox.records.relations import Relations
from sandbox.records.store import Store
from sandbox.sections import discover
from sandbox.seeding import new_account
from sandbox.seeding.churn import Churn

ACCOUNTS = {"default": "SBX001", "a": "SBX00A", "b": "SBX00B", "c": "SBX00C"}

UNUSED_SCOPES = frozenset({"data-privacy:read", "conversations:read", "metrics:write", "subscriptions:read"})
"""Scopes that an app may ask for and no operation needs."""

JOB_TICK_S, IDLE_TICK_S = 0.01, 0.1
"""How often jobs do what is due, and how often it is looked whether there are any."""


@dataclass(slots=True)
class Drain:
    """The hidden second client of one bucket: its task, and what became of its requests."""

    task: "asyncio.Task[None]"
    admitted: int = 0
    refused: int = 0


class World:
    """All state. `reset` restores the initial one."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.operations = load()
        self.relations = Relations(self.operations)
        self.sections = discover(self.operations)
        self.stopping = asyncio.Event()
        self.drains: dict[tuple[str, str], Drain] = {}
        self.windows = Windows(config.seed)
        self.reset(config.seed, keep_windows=False)

    def reset(self, seed: int, *, keep_windows: bool) -> None:
        """Forget everything, and start again from a seed."""
        self.random = Random(seed)
        self.latency_random = Random(seed)  # separate, so that ids do not depend on the latency
        self.limits = Limits()
        self.requests = RequestLog()
        self.faults = Faults(self.random)
        self.job_rules = JobRules(Random(seed), self.config.job_seconds)
        self.credentials = Credentials(self.random)
        self.stores: dict[str, Store] = {}
        self.traps: dict[str, Traps] = {}
        self.churns: dict[str, list[Churn]] = {}
        self.stop_drains()
        if not keep_windows:
            self.windows = Windows(seed)
        for alias, company_id in ACCOUNTS.items():
            self.add_account(alias, f"pk_sandbox_{alias}", company_id)
        self.credentials.keys["pk_sandbox_readonly"] = Caller("default", "default", read_only=True)

    def add_account(self, alias: str, key: str, company_id: str, scopes: frozenset[str] | None = None) -> None:
        """Add an account with one key, a refresh token for OAuth, and a few records."""
        store = Store(alias, company_id, self.relations, self.random)
        new_account.fill(store, self.config.clock())
        self.stores[alias] = store
        self.traps[alias] = Traps()
        self.credentials.keys[key] = Caller(alias, alias, scopes)
        self.credentials.companies[company_id] = alias
        self.credentials.refresh_tokens[f"rt_sandbox_{alias}"] = Caller(alias, f"{alias}:sandbox-app", scopes)

    @property
    def known_scopes(self) -> frozenset[str]:
        """Every scope that an app may ask for."""
        return frozenset(scope for each in self.operations.by_id.values() for scope in each.scopes) | UNUSED_SCOPES

    def token_wait(self, form: Mapping[str, str], limits: tuple[int, ...]) -> int:
        """Count a token request of the account that a form is about; the seconds to wait if there is no room."""
        if self.limits.off:
            return 0
        owner = self.credentials.owner(form)
        bucket = self.limits.bucket(owner.account if owner else CLIENT_ID, "oauth_token", limits)
        return self.windows.draw([bucket], self.config.clock()).retry_after

    async def advance_jobs(self) -> None:
        """Do the jobs' work bit by bit, so that no request has to wait for a large job."""
        while True:
            busy = any(store.has_work for store in self.stores.values())
            await asyncio.sleep(JOB_TICK_S if busy else IDLE_TICK_S)
            for store in self.stores.values():
                store.run_due(self.config.clock())

    def stop_drains(self) -> None:
        """Stop all hidden clients."""
        for drain in self.drains.values():
            drain.task.cancel()
        self.drains.clear()

    def stop(self) -> None:
        """Wake hanging requests and stop all hidden clients."""
        self.stopping.set()
        self.stop_drains()
