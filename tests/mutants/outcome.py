"""What became of tests, as pytest's JUnit report tells it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

End = Literal["passed", "failed", "hung", "broken", "left out"]

#: How pytest-timeout begins what it says of a test that it has ended.
HUNG = "Failed: Timeout"

#: What Python and Redis's Lua say of a name that is nowhere: the break is written wrong, and any test would notice.
MISWRITTEN = ("NameError: name", "nonexistent global variable")


@dataclass(frozen=True, slots=True)
class Case:
    """One test, or one of its parameter sets: how it ended, and the seconds it took with its fixtures.

    ``broken`` is what could not tell anything: an import or a fixture has failed, or a name in the code is nowhere.
    """

    test: str
    end: End
    seconds: float


def cases(report: str) -> list[Case]:
    """The cases of a report. What could not even be collected has one, too."""
    return [
        Case(
            f"{each.get('classname', '').replace('.', '/')}.py::{each.get('name')}",
            _end(each),
            float(each.get("time", 0)),
        )
        for each in ElementTree.fromstring(report).iter("testcase")
    ]


def _end(case: ElementTree.Element) -> End:
    if case.find("error") is not None:
        return "broken"
    if (failure := case.find("failure")) is not None:
        said = failure.get("message", "")
        if any(each in said for each in MISWRITTEN):
            return "broken"
        return "hung" if said.startswith(HUNG) else "failed"
    return "left out" if case.find("skipped") is not None else "passed"


def of(test: str, found: list[Case]) -> list[Case]:
    """The cases of one node id: one, or one for each set of parameters."""
    return [each for each in found if each.test == test or each.test.startswith(f"{test}[")]


def caught(found: list[Case]) -> bool:
    """Whether a test has noticed: one has failed, by an assertion or an exception of its own, not for want of time."""
    return any(each.end == "failed" for each in found)
