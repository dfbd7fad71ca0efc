"""Hundreds of quick cases in one test: pytest would take longer to begin and report each than it takes to run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable

import pytest

#: Cases that a failure names.
NAMED = 20


def for_each(cases: Iterable[str | tuple[str, ...]]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make a test of one case, which takes no fixture, a test of them all. It fails with the first, and names the rest.

    For cases by the thousand. Where there are fewer, or a case is worth a name of its own, there is `parametrize`.
    """
    given = [(case,) if isinstance(case, str) else case for case in cases]

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        @functools.wraps(check)
        def test() -> None:
            __tracebackhide__ = True
            failed: list[str] = []
            first: BaseException | None = None
            for case in given:
                try:
                    check(*case)
                except (Exception, pytest.fail.Exception) as failure:
                    first = first or failure
                    failed.append(", ".join(case))
            if first:
                more = f"\n… and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
                first.add_note("\n".join([f"Failed for {len(failed)} of {len(given)}:", *failed[:NAMED]]) + more)
                raise first

        test.__signature__ = inspect.Signature()  # type: ignore[attr-defined] # pytest would look for fixtures
        return test

    return decorate
