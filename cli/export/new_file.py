"""A file that is there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cli.terminal.printing import EXIT_FAILED, EXIT_USAGE, stop


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Give a file that gets its name once it is written; only its owner may read it: it holds customers' data.

    It takes the place of a file of this name only if ``force`` is given.
    """
    claimed = False
    try:
        if not force:
            path.touch(mode=0o600, exist_ok=False)  # nobody else can have the name in the meantime
            claimed = True
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            part = Path(file.name)
            try:
                yield file
                file.close()
                part.replace(path)
                claimed = False
            finally:
                part.unlink(missing_ok=True)
    except FileExistsError:
        raise stop(f"{path} exists already: give another name, or --force to replace it.", EXIT_USAGE) from None
    except OSError as error:
        raise stop(f"{path} cannot be written: {error.strerror}.", EXIT_FAILED) from None
    finally:
        if claimed:
            path.unlink(missing_ok=True)
