"""Every key of a deployment in one slot of a cluster: each connection adds a tag before it, and takes it off again.

A script of ours touches keys of many kinds atomically, which a cluster permits only if they are in one slot. So each
key that is sent begins with `TAG`, as with the `global_keyprefix` of kombu and Celery, and nothing else needs to know
of it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from redis.crc import key_slot

TAG = "{klaviyo}:"

_TAG = TAG.encode()

#: The slot in which they all are.
SLOT = key_slot(_TAG)

_WITHOUT_KEYS = """
ACL ASKING AUTH CLIENT CLUSTER COMMAND CONFIG DBSIZE DEBUG DISCARD ECHO EXEC FLUSHALL FLUSHDB FUNCTION HELLO INFO
LASTSAVE LATENCY MODULE MONITOR MULTI PING QUIT READONLY READWRITE REPLICAOF RESET ROLE SAVE SCRIPT SELECT SHUTDOWN
SLOWLOG TIME UNWATCH WAIT WAITAOF
"""
_ALL_KEYS = "DEL EXISTS MGET PSUBSCRIBE PUNSUBSCRIBE SDIFF SINTER SUBSCRIBE SUNION TOUCH UNLINK UNSUBSCRIBE WATCH"

#: Commands that name no key, by their first word.
WITHOUT_KEYS = frozenset(_WITHOUT_KEYS.split())

#: Commands all of whose words are keys, or channels, which have the names of the keys that they are about.
ALL_KEYS = frozenset(_ALL_KEYS.split())


def _as_it_is(words: Sequence[Any]) -> Sequence[Any]:
    return words


def _all(words: Sequence[Any]) -> Sequence[Any]:
    return (words[0], *map(_put, words[1:]))


def _first(words: Sequence[Any]) -> Sequence[Any]:
    return (words[0], _put(words[1]), *words[2:]) if len(words) > 1 else words


def _script(words: Sequence[Any]) -> Sequence[Any]:
    keys = 3 + int(words[2])
    return (*words[:3], *map(_put, words[3:keys]), *words[keys:])


def _but_last(words: Sequence[Any]) -> Sequence[Any]:
    return (words[0], *map(_put, words[1:-1]), words[-1])


def _two(words: Sequence[Any]) -> Sequence[Any]:
    return (words[0], *map(_put, words[1:3]), *words[3:])


def _second(words: Sequence[Any]) -> Sequence[Any]:
    return (*words[:2], _put(words[2]), *words[3:])


def _pattern(words: Sequence[Any]) -> Sequence[Any]:
    upper = [str(_text(word)).upper() for word in words]
    if "MATCH" not in upper:
        return (*words, "MATCH", f"{TAG}*")
    at = upper.index("MATCH") + 1
    return (*words[:at], _put(words[at]), *words[at + 1 :])


_SPECIAL: dict[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "EVAL": _script,
    "EVALSHA": _script,
    "BRPOP": _but_last,
    "BLPOP": _but_last,
    "RPOPLPUSH": _two,
    "LMOVE": _two,
    "RENAME": _two,
    "RENAMENX": _two,
    "MEMORY": _second,
    "OBJECT": _second,
    "SCAN": _pattern,
}


def tagged(words: Sequence[Any]) -> Sequence[Any]:
    """Return a command with the tag before each of its keys."""
    return _put_in(words[0])(words)


@lru_cache(maxsize=1024)
def _put_in(command: Any) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return what puts the tag before each key of a command: there are few commands, and all are sent often."""
    # redis-py has names of two words in one, such as "SCRIPT LOAD".
    first, blank, _ = str(_text(command)).upper().partition(" ")
    if first in WITHOUT_KEYS:
        return _as_it_is
    if first in ALL_KEYS:
        return _all
    return _first if blank else _SPECIAL.get(first, _first)


def untagged(answer: Any) -> Any:
    """Return an answer without the tag before the keys and channels in it."""
    if isinstance(answer, list):
        return [untagged(each) for each in answer]
    if isinstance(answer, bytes):
        return answer.removeprefix(_TAG)
    return answer.removeprefix(TAG) if isinstance(answer, str) else answer


def _put(key: Any) -> Any:
    return _TAG + key if isinstance(key, (bytes, memoryview)) else f"{TAG}{key}"


def _text(word: Any) -> Any:
    return word.decode() if isinstance(word, bytes) else word
