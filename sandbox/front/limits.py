"""Which buckets a request draws on, and how to make the sandbox's limits wrong on purpose."""

from collections.abc import Callable, Mapping

from sandbox.front.windows import Bucket, override_limits
from sandbox.operations import Operation


class Limits:
    """The limits in force: Klaviyo's own, unless replaced through the side door."""

    def __init__(self) -> None:
        self.off = False
        self._overrides: dict[tuple[str | None, str | None], dict[str, int]] = {}

    def override(self, account: str | None, bucket: str | None, numbers: Mapping[str, int]) -> None:
        """Replace limits of one bucket or all (None), for one account or all."""
        self._overrides.setdefault((account, bucket), {}).update(numbers)

    def buckets(self, account: str, operation: Operation, asked: Callable[[str], list[str]]) -> list[Bucket]:
        """The operation's own bucket, then one for each costly parameter value in the request."""
        buckets = [self.bucket(account, operation.id, operation.limits)]
        for extra, limits in operation.extra.items():
            parameter, _, value = extra.partition("=")
            if value in asked(parameter):
                buckets.append(self.bucket(account, extra, tuple(limits)))
        return buckets

    def bucket(self, account: str, name: str, limits: tuple[int, ...]) -> Bucket:
        """A bucket with the limits in force for it."""
        for key in ((None, None), (account, None), (None, name), (account, name)):
            if key in self._overrides:
                limits = override_limits(limits, self._overrides[key])
        return Bucket(account, name, limits)
