"""What a run of all tests comes to, in words for whoever runs them for the first time."""

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


def in_short(passed: int, failed: int, skipped: int, seconds: float) -> str:
    """The run in a sentence, and what to do after a failure."""
    took = f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.0f} s"
    if failed:
        return (
            f"{failed:,} of {passed + failed:,} tests failed, in {took}. "
            "To run one of them alone: .venv/bin/pytest -q, and its name as it stands above."
        )
    others = f"; {skipped:,} were left out, for the reasons above" if skipped else ""
    return f"Everything works here: all {passed:,} tests passed in {took}{others}."
