"""Lua takes a misspelled name for nil, and so does fakeredis: where only that is tested, Valkey would refuse it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.governor import script

ROOT = Path(__file__).parents[2]
#: What Redis gives a script, as far as ours use it.
GIVEN = {"redis", "KEYS", "ARGV", "cjson", "math", "string", "table", "ipairs", "next", "pairs", "tonumber", "unpack"}
KEYWORDS = {"and", "break", "false", "if", "in", "nil", "not", "or", "return", "true", "while"}
TOKEN = re.compile(r"--[^\n]*|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[A-Za-z_]\w*|\d[\w.]*|\.\.\.|\.\.|==|~=|<=|>=|\S")
NAME = re.compile(r"[A-Za-z_]\w*")


class Scopes:
    """What is in scope at each place of a script that is read from its first token to its last."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._padded, self._place = tokens, ["", *tokens, ""], 0
        self._open, self._of_next_block = [set(GIVEN)], set[str]()
        self.unknown: set[str] = set()
        self._by_token = {
            "function": self._function, "for": self._loop, "local": self._locals,
            "do": self._begin, "then": self._begin, "repeat": self._begin,
            "else": self._go_on, "elseif": self._open.pop, "end": self._open.pop, "until": self._open.pop,
        }  # fmt: skip

    def read(self) -> None:
        while self._place < len(self._tokens):
            self._by_token.get(self._tokens[self._place], self._use)()
            self._place += 1

    def _names_up_to(self, *ends: str) -> set[str]:
        names = set()
        while self._tokens[self._place] not in ends:
            names.add(self._tokens[self._place])
            self._place += 1
        return names

    def _function(self) -> None:
        if self._tokens[self._place - 1] == "local":
            self._open[-1].add(self._tokens[self._place + 1])
        self._names_up_to("(")
        self._open.append(self._names_up_to(")"))

    def _loop(self) -> None:
        self._of_next_block = self._names_up_to("=", "in")

    def _locals(self) -> None:
        while self._tokens[self._place] in ("local", ",") and self._tokens[self._place + 1] != "function":
            self._open[-1].add(self._tokens[self._place + 1])
            self._place += 2
        self._place -= self._tokens[self._place] != "local"

    def _begin(self) -> None:
        self._open.append(self._of_next_block)
        self._of_next_block = set()

    def _go_on(self) -> None:
        self._open.pop()
        self._open.append(set())

    def _use(self) -> None:
        before, token, after = self._padded[self._place : self._place + 3]
        is_field = before in (".", ":") or (before in ("{", ",") and after == "=")
        if NAME.fullmatch(token) and not is_field and not any(token in names for names in (KEYWORDS, *self._open)):
            self.unknown.add(token)


def unknown_names(text: str) -> set[str]:
    """The names that a script uses where nothing of that name is in scope."""
    scopes = Scopes([token for token in TOKEN.findall(text) if not token.startswith("--")])
    scopes.read()
    return scopes.unknown


@pytest.mark.parametrize("file", script.OPERATIONS)
def test_an_operation_of_the_governor_uses_only_what_its_script_has(file):
    assert unknown_names(script._script(file)) == set()


@pytest.mark.parametrize("file", ["tasks/jobs/ledger.lua", "schedules/entry_runs.lua"])
def test_a_script_uses_only_what_it_has(file):
    assert unknown_names((ROOT / file).read_text()) == set()


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("local a = 1 return a + b", {"b"}),
        ("if x then local y = 1 end return y", {"x", "y"}),
        ("local function f(n) return n .. m end return f(n)", {"m", "n"}),
        ("for i, v in ipairs(KEYS) do i = v.x end return i", {"i"}),
        ("local t = { a = 1, b = c } return t.d:e()", {"c"}),
        ("total = 1 -- not local", {"total"}),
    ],
)
def test_a_name_is_known_where_it_is_in_scope(text, unknown):
    assert unknown_names(text) == unknown
