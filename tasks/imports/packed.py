"""Files that are packed: gzipped, or alone in a zip archive."""

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
#: Part of every workbook that Excel writes, which is a zip archive itself.
_WORKBOOK = "[Content_Types].xml"

#: What is raised where a packed file ends too early or is none.
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)


def unpacked(binary: io.BufferedReader, name: str) -> IO[bytes]:
    """The bytes of a file, or those that are packed in it.

    Raises:
        SourceError: it is a zip archive, and not of one file.

    """
    start = binary.peek(4)
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=binary))
    if not start.startswith(_ZIP):
        return binary
    if not binary.seekable():
        raise SourceError(name, "a zip archive cannot be read from a pipe: unpack it first")
    archive = zipfile.ZipFile(binary)
    member = _only(archive, name)
    if member.flag_bits & 1:
        raise SourceError(name, f"{member.filename} in it is encrypted: unpack it first")
    return archive.open(member)


def member_of(path: Path, name: str) -> str:
    """What the one file in a zip archive is called.

    Raises:
        SourceError: it cannot be read, or is not an archive of one file.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _only(archive, name).filename
    except zipfile.BadZipFile:
        raise SourceError(name, "the packed file is damaged or cut short") from None
    except OSError as error:
        raise SourceError(name, f"it cannot be read: {error.strerror}") from None


def _only(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The one file of an archive; what macOS adds does not count."""
    found = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    if any(each.filename == _WORKBOOK for each in found):
        raise SourceError(name, "this is an Excel workbook; say that its format is xlsx")
    if len(found) != 1:
        told = ", ".join(each.filename for each in found[:5]) or "nothing"
        raise SourceError(
            name, f"this is an archive of {len(found):,} files ({told}): unpack it, and import one of them"
        )
    return found[0]
