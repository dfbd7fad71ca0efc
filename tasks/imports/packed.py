"""Compressed files: gzip, or a zip archive of one file."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

from worker.errors import SourceError

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
#: In every Excel workbook, which is a zip archive itself.
_WORKBOOK = "[Content_Types].xml"

#: Raised for a compressed file that is cut short or damaged.
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)


def unpack(binary: io.BufferedReader, name: str) -> IO[bytes]:
    """Return the bytes of a file, decompressed if need be.

    Raises:
        SourceError: it is a zip archive that does not hold exactly one file.

    """
    start = binary.peek(4)
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=binary))
    if not start.startswith(_ZIP):
        return binary
    if not binary.seekable():
        raise SourceError(name, "a zip archive cannot be read from a pipe: unpack it first")
    archive = zipfile.ZipFile(binary)
    member = _single_member(archive, name)
    if member.flag_bits & 1:
        raise SourceError(name, f"{member.filename} in it is encrypted: unpack it first")
    return archive.open(member)


def member_of(path: Path, name: str) -> str:
    """Return the name of the only file in a zip archive.

    Raises:
        SourceError: it cannot be read, or does not hold exactly one file.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _single_member(archive, name).filename
    except zipfile.BadZipFile:
        raise SourceError(name, "the compressed file is damaged or cut short") from None
    except OSError as error:
        raise SourceError(name, f"it cannot be read: {error.strerror}") from None


def _single_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return the only file of an archive; what macOS adds does not count."""
    found = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    if any(each.filename == _WORKBOOK for each in found):
        raise SourceError(name, "this is an Excel workbook; say that its format is xlsx")
    if len(found) != 1:
        names = ", ".join(each.filename for each in found[:5]) or "nothing"
        raise SourceError(
            name, f"this is an archive of {len(found):,} files ({names}): unpack it, and import one of them"
        )
    return found[0]
