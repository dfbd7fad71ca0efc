"""`klaviyo`, as a shell runs it, in a fork that has the imports of all commands already."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli import main
from tests.live.forked import Forked
from tests.live.system import until

_numbers = itertools.count()


@dataclass(frozen=True)
class Done:
    """A command that is over."""

    returncode: int
    stdout: str
    stderr: str


class Command:
    """A command that has been typed in a folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *words: object) -> None:
        number = next(_numbers)
        self._output, self._errors = folder / f"command{number}.out", folder / f"command{number}.err"
        self.process = Forked(
            [__name__, *map(str, words)], environment, self._output, errors=self._errors, folder=folder
        )

    @property
    def stderr(self) -> str:
        return self._errors.read_text()

    def done(self, seconds: float = 60) -> Done:
        """Wait for its end; ``seconds`` are those of an idle machine."""
        __tracebackhide__ = True
        until(
            lambda: self.process.poll() is not None, seconds, lambda: f"the end of {self.process.args}\n{self.stderr}"
        )
        return Done(int(self.process.returncode or 0), self._output.read_text(), self.stderr)


if __name__ == "__main__":
    main()
