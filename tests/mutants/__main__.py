"""Break the code on purpose, one break at a time, and see whether the test that should notice does.

python -m tests.mutants [NAME…] [--jobs 4]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from tests.live.system import stretched

from .outcome import Case, caught, of
from .table import Mutant, read
from .tree import Tree

#: Seconds of an idle machine within which a break has to be noticed: what takes longer, nobody runs after each change.
QUICK = 10.0


def main() -> int:
    """The exit code: 0 where every break was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--jobs", type=int, default=2, help="breaks that are tried at once, each in its own copy")
    given = parser.parse_args()
    known = {mutant.name: mutant for mutant in read()}
    if unknown := [name for name in given.names if name not in known]:
        parser.error(f"there is no mutant {', '.join(unknown)}")
    mutants = [known[name] for name in given.names] or list(known.values())

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Tree] = SimpleQueue()
        for number in range(max(1, min(given.jobs, len(mutants)))):
            (own := Path(folder) / str(number)).mkdir()
            trees.put(Tree(own))
        seconds, problems = _unbroken(trees, sorted({mutant.test for mutant in mutants}))
        if problems:
            print("\n".join(problems), file=sys.stderr)
            return 1
        noticed = _broken(trees, mutants)
    _print(mutants, seconds, noticed)
    return 0 if all(noticed.values()) else 1


def _unbroken(trees: SimpleQueue[Tree], tests: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """The seconds that each test takes where nothing is broken, and what is wrong with them."""
    print(f"{len(tests)} tests, with nothing broken …", file=sys.stderr)
    tree = trees.get()
    found, said = tree.run(tests)
    ends = {test: of(test, found) for test in tests}
    for test, slow in ends.items():
        if _seconds(slow) > stretched(QUICK):
            # Something else may have kept the machine busy: what counts is the quicker of two runs.
            again = of(test, tree.run([test])[0])
            ends[test] = min(slow, again, key=_seconds) if again else slow
    trees.put(tree)
    problems = [f"{test} {problem}" for test, each in ends.items() if (problem := _problem(each))]
    return {test: _seconds(each) for test, each in ends.items()}, [*problems, said] if problems else []


def _seconds(found: Sequence[Case]) -> float:
    return sum(each.seconds for each in found)


def _problem(found: Sequence[Case]) -> str | None:
    ends = {each.end for each in found}
    if not found or ends - {"passed", "left out"}:
        return "does not pass where nothing is broken"
    if "passed" not in ends:
        return "was left out, so that it notices nothing"
    seconds = _seconds(found)
    return f"takes {seconds:.1f} s, over {QUICK:.0f} s" if seconds > stretched(QUICK) else None


def _broken(trees: SimpleQueue[Tree], mutants: Sequence[Mutant]) -> dict[str, bool]:
    """Whether each break was noticed."""

    def attempt(mutant: Mutant) -> bool:
        tree = trees.get()
        try:
            with tree.broken(mutant):
                found, said = tree.run(["--exitfirst", mutant.test])
        finally:
            trees.put(tree)
        if not caught(found) and {each.end for each in found} != {"passed"}:
            print(f"{mutant.name} ends its test in another way than by a failure:\n{said}", file=sys.stderr)
        return caught(found)

    noticed: dict[str, bool] = {}
    with ThreadPoolExecutor(trees.qsize()) as pool:
        tries = {pool.submit(attempt, mutant): mutant for mutant in mutants}
        for done in as_completed(tries):
            name = tries[done].name
            noticed[name] = done.result()
            print(f"{len(noticed)}/{len(mutants)} {_verdict(noticed[name])} {name}", file=sys.stderr)
    return noticed


def _verdict(noticed: bool) -> str:
    return "caught" if noticed else "SURVIVED"


def _print(mutants: Sequence[Mutant], seconds: dict[str, float], noticed: dict[str, bool]) -> None:
    print("| mutant | what is broken | who would suffer | test | seconds | |\n|---|---|---|---|---|---|")
    for each in mutants:
        cells = each.name, each.broken, each.suffers, f"`{each.test}`", f"{seconds[each.test]:.1f}"
        print(f"| {' | '.join(cells)} | {_verdict(noticed[each.name])} |")
    survivors = [name for name, each in noticed.items() if not each]
    told = f"{', '.join(survivors)} survived" if survivors else "each was noticed"
    print(f"\n{len(mutants)} breaks: {told}.")


if __name__ == "__main__":
    sys.exit(main())
