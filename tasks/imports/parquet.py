"""The rows of a Parquet file, by pyarrow: ``pip install klaviyo-worker[parquet]``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from worker.errors import SourceError


def records_of(path: Path, name: str, most: int) -> Generator[list[dict[str, Any]], None, None]:
    """Yield the rows, up to ``most`` at a time; a row group is in memory at once.

    Raises:
        SourceError: it is not Parquet, or pyarrow is not installed.

    """
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise SourceError(name, "Parquet needs pyarrow: pip install 'klaviyo-worker[parquet]'") from None
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=most):
                yield batch.to_pylist()
    except ArrowInvalid:
        raise SourceError(name, "this is not a Parquet file, or a damaged one") from None
    except OSError as error:
        raise SourceError(name, f"it cannot be read: {error.strerror}") from None
