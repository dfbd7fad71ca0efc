"""What a run has left out, in a line for each reason."""

from __future__ import annotations

from collections.abc import Iterable


def left_out(skipped: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each of the reasons for which tests were skipped, with their files.

    What is skipped is a file and a reason. Every process tells of a file that is skipped as a whole.
    """
    files: dict[str, set[str]] = {}
    for file, reason in skipped:
        files.setdefault(reason.removeprefix("Skipped: "), set()).add(file)
    return [f"Left out in {', '.join(sorted(where))}: {reason}." for reason, where in files.items()]
