"""Detect the encoding of a text file: by its byte order mark, else by its bytes."""

from __future__ import annotations

import codecs
import re
from typing import IO

#: Bytes to read at a time until one of them is not ASCII; that chunk decides.
SAMPLE_BYTES = 1 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Single-byte Latin encodings, the most frequent first; on a tie the first wins.
_LATIN = ("cp1252", "cp1250", "cp1254", "mac_roman")
_OTHER_ALPHABETS = (
    "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "shift_jis", "gb18030", "big5", "euc_kr", "euc_jp",
)  # fmt: skip
#: Bytes that suffice to distinguish these.
DETECTION_BYTES = 1 << 15

#: Non-ASCII bytes with the letters around them, and several of them in a row.
_AROUND = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_RUNS = re.compile(rb"[\x80-\xff]{2,}")
#: A non-ASCII letter, or Word's apostrophe, next to a letter.
_IN_WORDS = re.compile(r"(?<=[A-Za-z])(?:[^\W\d_]|\u2019)(?<=[^\x00-\x7f])|(?:[^\W\d_])(?<=[^\x00-\x7f])(?=[A-Za-z])")


def detect_encoding(file: IO[bytes], start: bytes) -> str:
    """Return the encoding of a file that begins with ``start`` and continues with the rest of ``file``.

    While everything is ASCII, more is read, since only other bytes tell UTF-8 from the rest.
    """
    if found := next((name for mark, name in _MARKS if start.startswith(mark)), None):
        return found
    if wide := _without_mark(start):
        return wide
    sample = start
    while sample.isascii() and (more := file.read(SAMPLE_BYTES)):
        sample = more
    return _of_bytes(sample)


def encoding_named(encoding: str) -> str:
    """Return Python's name of an encoding; with UTF-8, one that skips a byte order mark.

    Raises:
        ValueError: there is none of this name.

    """
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # what is no encoding of text, such as base64, is refused here
    except (LookupError, ValueError):
        raise ValueError(f"{encoding!r} is not an encoding; write it like utf-8, utf-16, cp1252 or latin-1") from None
    return "utf-8-sig" if name == "utf-8" else name


def _without_mark(start: bytes) -> str | None:
    """Recognise UTF-16 without a byte order mark: every other byte of a Latin header is a NUL."""
    pairs = len(start) // 2
    if pairs < 2:
        return None
    if start[1 : 2 * pairs : 2].count(0) > pairs * 0.7:
        return "utf-16-le"
    return "utf-16-be" if start[0 : 2 * pairs : 2].count(0) > pairs * 0.7 else None


def _of_bytes(sample: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample)  # a character that the sample cuts in two is no error
    except UnicodeDecodeError:
        return _of_one_byte(sample)
    return "utf-8"


def _of_one_byte(sample: bytes) -> str:
    """Return the encoding that turns the sample into words, among those that can decode it."""
    words = b"\n".join(_AROUND.findall(sample))[:DETECTION_BYTES]
    if _mostly_beyond_ascii(words):
        # In other alphabets nearly all letters are non-ASCII; in the Latin one those stand among ASCII letters.
        from charset_normalizer import from_bytes  # here, not above: slow to import, and not needed for UTF-8

        found = from_bytes(sample[:DETECTION_BYTES], cp_isolation=list(_OTHER_ALPHABETS)).best()
        if found is not None:
            return found.encoding
    readable = [name for name in _LATIN if _reads(name, words)]
    return max(readable or ["latin-1"], key=lambda name: len(_IN_WORDS.findall(words.decode(name))))


def _reads(name: str, words: bytes) -> bool:
    try:
        words.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _mostly_beyond_ascii(words: bytes) -> bool:
    return sum(len(run) for run in _RUNS.findall(words)) > len(re.findall(rb"[A-Za-z\x80-\xff]", words)) / 2
