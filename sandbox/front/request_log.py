"""A log of every request, for tests to count: what was asked, by whom, and how it was answered."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

REQUESTS_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request. `mark` is its X-Sandbox-Mark header; a status of 0 means that no answer was sent."""

    number: int
    at: float
    account: str | None
    operation: str | None
    method: str
    path: str
    status: int
    mark: str | None
    fault: str | None


class RequestLog:
    """Counts all requests and keeps the latest ones, without their bodies."""

    def __init__(self) -> None:
        self._kept: deque[LoggedRequest] = deque(maxlen=REQUESTS_KEPT)
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._total = 0

    def next_number(self) -> int:
        """The number of a request that has just arrived."""
        self._total += 1
        return self._total

    def add(self, request: LoggedRequest) -> None:
        """Log a request that has ended."""
        self._kept.append(request)
        self._counts[request.account or "unknown", request.operation or "unknown", request.status] += 1

    def counts(self) -> dict[str, Any]:
        """The number of requests: in total, by status, and by account and operation."""
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

    def latest(self, operation: str | None, account: str | None, after: int) -> list[dict[str, Any]]:
        """The kept requests with a number above `after`, of one operation or account if given."""
        return [
            {
                "n": request.number,
                "at": request.at,
                "account": request.account,
                "operation": request.operation,
                "method": request.method,
                "path": request.path,
                "status": request.status,
                "unique": request.mark,
                "fault": request.fault,
            }
            for request in self._kept
            if request.number > after
            and (operation is None or request.operation == operation)
            and (account is None or request.account == account)
        ]
