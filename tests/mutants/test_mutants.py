"""The table of deliberate breaks keeps in step with the code, and the runner knows a failure from an accident."""

from __future__ import annotations

import pytest

from tests.cases import for_each

from .outcome import Case, cases, caught, of
from .table import ROOT, Mutant, read

MUTANTS = {mutant.name: mutant for mutant in read()}


def test_there_are_breaks_of_every_part():
    assert len(MUTANTS) > 200
    assert {each.file.partition("/")[0] for each in MUTANTS.values()} == {"worker", "tasks", "schedules", "cli"}


@for_each(MUTANTS)
def test_a_break_has_one_place_in_the_code_and_a_quick_test_that_is_there(name):
    mutant = MUTANTS[name]
    file, _, test = mutant.test.partition("::")

    assert mutant.applied((ROOT / mutant.file).read_text("utf-8"))
    assert not file.startswith("tests/live/")
    assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text("utf-8")
    assert mutant.old != mutant.new
    assert mutant.broken.endswith(".")
    assert mutant.suffers.endswith(".")


@pytest.mark.parametrize("text", ["", "a = 1\na = 1\n"])
def test_a_break_that_could_be_anywhere_is_refused(text):
    with pytest.raises(ValueError, match=f"stands {text.count('a')} times in x.py"):
        Mutant("m", "x.py", "a = 1", "a = 2", "It is.", "All.", "t").applied(text)


def report(*inside):
    tests = (f'<testcase classname="tests.a.test_b" name="test_c[{n}]" time="0.5">{each}</testcase>' for n, each in
             enumerate(inside))  # fmt: skip
    return cases(f"<testsuites><testsuite>{''.join(tests)}</testsuite></testsuites>")


@pytest.mark.parametrize(
    ("ends", "noticed"),
    [
        (["<failure message='AssertionError: assert 1 == 2' />"], True),
        (["", "<failure message='KeyError' />"], True),
        ([""], False),
        (["<skipped />"], False),
        (["<error message='collection failure' />"], False),
        (["<error message='failed on setup' />", ""], False),
        (["<failure message=\"NameError: name 'told' is not defined\" />"], False),
        (["<failure message='Failed: Timeout (&gt;60.0s) from pytest-timeout.' />"], False),
        ([], False),
    ],
)
def test_a_break_is_noticed_where_a_test_fails_and_not_where_one_cannot_run(ends, noticed):
    assert caught(report(*ends)) is noticed


def test_a_test_is_found_in_the_report_with_all_its_parameters():
    found = [*report("", ""), Case("tests/a/test_b.py::test_cc", "passed", 9.0)]

    assert sum(each.seconds for each in of("tests/a/test_b.py::test_c", found)) == 1.0
    assert len(of("tests/a/test_b.py::test_c[1]", found)) == 1
