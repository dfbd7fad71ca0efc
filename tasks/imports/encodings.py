"""Which encoding a file of text has, where nobody says it: by its mark, else by its bytes."""

from __future__ import annotations

import codecs
import re
from typing import IO

#: Bytes that decide, once one of them is no ASCII; as many are read at a time until then.
SAMPLE = 1 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What programs that export one byte a letter write, the most frequent first; the first one wins where all read well.
_LATIN = ("cp1252", "cp1250", "cp1254", "mac_roman")
_OTHER_ALPHABETS = (
    "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "shift_jis", "gb18030", "big5", "euc_kr", "euc_jp",
)  # fmt: skip
#: Bytes by which these are told apart.
MOST = 1 << 15

#: Bytes beyond ASCII with the letters around them, and several of them in a row.
_AROUND = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_RUNS = re.compile(rb"[\x80-\xff]{2,}")
#: A letter beyond ASCII, or an apostrophe as Word writes it, with a letter beside it.
_IN_WORDS = re.compile(r"(?<=[A-Za-z])(?:[^\W\d_]|\u2019)(?<=[^\x00-\x7f])|(?:[^\W\d_])(?<=[^\x00-\x7f])(?=[A-Za-z])")


def encoding_of(file: IO[bytes], start: bytes) -> str:
    """The encoding of a file that begins with ``start`` and goes on with what ``file`` holds.

    As long as all is ASCII, more is read, since nothing else tells UTF-8 from the others.
    """
    if found := next((name for mark, name in _MARKS if start.startswith(mark)), None):
        return found
    if wide := _without_mark(start):
        return wide
    sample = start
    while sample.isascii() and (more := file.read(SAMPLE)):
        sample = more
    return _of_bytes(sample)


def known(encoding: str) -> str:
    """The encoding as Python names it; with UTF-8, a mark at the beginning is passed over.

    Raises:
        ValueError: there is none of this name.

    """
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # what is no encoding of text, such as base64, is refused here
    except (LookupError, ValueError):
        raise ValueError(f"{encoding!r} is no encoding; write it like utf-8, utf-16, cp1252 or latin-1") from None
    return "utf-8-sig" if name == "utf-8" else name


def _without_mark(start: bytes) -> str | None:
    """UTF-16 whose mark was lost: every other byte of a header in Latin letters is a NUL."""
    pairs = len(start) // 2
    if pairs < 2:
        return None
    if start[1 : 2 * pairs : 2].count(0) > pairs * 0.7:
        return "utf-16-le"
    return "utf-16-be" if start[0 : 2 * pairs : 2].count(0) > pairs * 0.7 else None


def _of_bytes(sample: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample)  # a letter that the sample cuts in two is no error
    except UnicodeDecodeError:
        return _of_one_byte(sample)
    return "utf-8"


def _of_one_byte(sample: bytes) -> str:
    """Of the encodings in which the sample can be read: the one that makes words of it."""
    words = b"\n".join(_AROUND.findall(sample))[:MOST]
    if _mostly_beyond_ascii(words):
        # In other alphabets nearly all letters are beyond ASCII; in the Latin one they stand between such that are.
        from charset_normalizer import from_bytes  # here, not above: who imports UTF-8 does not wait for it

        found = from_bytes(sample[:MOST], cp_isolation=list(_OTHER_ALPHABETS)).best()
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
