"""Everything that a running sandbox holds, and the accounts that are there from the start."""

import asyncio
from dataclasses import dataclass
from random import Random

from sandbox.config import Config
from sandbox.front.auth import Caller, Credentials
from sandbox.front.faults import Faults
from sandbox.front.ledger import Ledger
from sandbox.front.limits import Limits
from sandbox.front.windows import Windows
from sandbox.operations import load
from sandbox.records.job_rules import JobRules
from sandbox.records.relations import Relations
from sandbox.records.store import Store
from sandbox.sections import discovered
from sandbox.seeding import seeds
from sandbox.seeding.churn import Churn

ACCOUNTS = {"default": "SBX001", "a": "SBX00A", "b": "SBX00B", "c": "SBX00C"}

TICK = 0.01
"""Seconds between two bits of the jobs' work."""


@dataclass(slots=True)
class Drain:
    """The hidden second client of one bucket: its task and what became of its requests."""

    task: "asyncio.Task[None]"
    admitted: int = 0
    refused: int = 0


class World:
    """All state. `reset` puts it back to how it was at the start."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.operations = load()
        self.relations = Relations(self.operations)
        self.sections = discovered(self.operations)
        self.stopping = asyncio.Event()
        self.drains: dict[tuple[str, str], Drain] = {}
        self.windows = Windows(config.seed)
        self.reset(config.seed, keep_windows=False)

    def reset(self, seed: int, *, keep_windows: bool) -> None:
        """Forget everything, and start again from a seed."""
        self.random = Random(seed)
        self.latency_random = Random(seed)  # apart, so that ids do not depend on the latency that was asked for
        self.limits = Limits()
        self.ledger = Ledger()
        self.faults = Faults(self.random)
        self.job_rules = JobRules(Random(seed), self.config.job_seconds)
        self.credentials = Credentials(self.random)
        self.stores: dict[str, Store] = {}
        self.churns: dict[str, list[Churn]] = {}
        self.stop_drains()
        if not keep_windows:
            self.windows = Windows(seed)
        for alias, company_id in ACCOUNTS.items():
            self.add_account(alias, f"pk_sandbox_{alias}", company_id)
        self.credentials.keys["pk_sandbox_readonly"] = Caller("default", "default", read_only=True)

    def add_account(self, alias: str, key: str, company_id: str, scopes: frozenset[str] | None = None) -> None:
        """A new account with one key, a refresh token for OAuth, and a few things of its own."""
        store = Store(alias, company_id, self.relations, self.random)
        seeds.sow(store, self.config.clock())
        self.stores[alias] = store
        self.credentials.keys[key] = Caller(alias, alias, scopes)
        self.credentials.companies[company_id] = alias
        self.credentials.refresh_tokens[f"rt_sandbox_{alias}"] = Caller(alias, f"{alias}:sandbox-app", scopes)

    async def advance_jobs(self) -> None:
        """Do the jobs' work bit by bit, so that no request has to wait until a large one is done."""
        while True:
            await asyncio.sleep(TICK)
            for store in self.stores.values():
                store.settle(self.config.clock())

    def stop_drains(self) -> None:
        """End all hidden clients."""
        for drain in self.drains.values():
            drain.task.cancel()
        self.drains.clear()

    def stop(self) -> None:
        """Let requests that hang come to an end."""
        self.stopping.set()
        self.stop_drains()
