"""The record of every request, for tests to count: what was asked, by whom, and how it was answered."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

KEPT = 200_000


@dataclass(frozen=True, slots=True)
class Row:
    """One request. `mark` is its X-Sandbox-Mark header; status 0 means that no answer was sent."""

    number: int
    at: float
    account: str | None
    operation: str | None
    method: str
    path: str
    status: int
    mark: str | None
    fault: str | None


class Ledger:
    """All requests counted, the last ones kept. No bodies."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._total = 0

    def next_number(self) -> int:
        """The number of a request that has just arrived."""
        self._total += 1
        return self._total

    def add(self, row: Row) -> None:
        """Enter a request that has come to its end."""
        self._rows.append(row)
        self._counts[row.account or "unknown", row.operation or "unknown", row.status] += 1

    def summary(self) -> dict[str, Any]:
        """The counts, in all, by status and by account and operation."""
        by_status: Counter[str] = Counter()
        by_operation: dict[str, dict[str, dict[str, int]]] = {}
        for (account, operation, status), count in self._counts.items():
            by_status[str(status)] += count
            by_operation.setdefault(account, {}).setdefault(operation, {})[str(status)] = count
        throttled = by_status["429"]
        answered = sum(self._counts.values())
        return {
            "requests": self._total,
            "by_status": {status: count for status, count in sorted(by_status.items()) if count},
            "by_operation": by_operation,
            "throttled": throttled,
            "not_throttled": answered - throttled,
        }

    def rows(self, operation: str | None, account: str | None, after: int) -> list[dict[str, Any]]:
        """The rows kept that have a greater number, of one operation or account if asked."""
        return [
            {
                "n": row.number,
                "at": row.at,
                "account": row.account,
                "operation": row.operation,
                "method": row.method,
                "path": row.path,
                "status": row.status,
                "unique": row.mark,
                "fault": row.fault,
            }
            for row in self._rows
            if row.number > after
            and (operation is None or row.operation == operation)
            and (account is None or row.account == account)
        ]
