"""What the pages of docs/ name is there: modules, files, commands, Redis keys, and sentences that programs say."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
ROOMS = ("worker", "tasks", "schedules", "cli", "sandbox", "benchmarks", "tests", "docs", "findings")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

#: Code in a line of text, and the blocks that are programs of their own.
CODE, BLOCK = re.compile(r"`([^`\n]+)`"), re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def code(page):
    return CODE.findall(BLOCK.sub("", page.read_text("utf-8")))


@every_page
def test_every_file_that_is_named_exists(page):
    files = [re.split("::", each)[0] for each in code(page)]
    named = [each for each in files if re.fullmatch(rf"({'|'.join(ROOMS)})/[\w/.]*", each)]

    assert [each for each in named if not (ROOT / each).exists()] == []


@every_page
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[\w-]+)?\)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def resolved(name):
    """What a dotted name stands for: a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for each in parts[length:]:
            found = getattr(found, each)
        return found
    raise AttributeError(name)


def is_there(name):
    try:
        resolved(name)
    except AttributeError:
        return False
    return True


@every_page
def test_every_dotted_name_exists(page):
    named = [each for each in code(page) if re.fullmatch(rf"({'|'.join(ROOMS)})(\.\w+)+", each)]

    assert [each for each in named if not is_there(each)] == []


@every_page
def test_every_command_that_is_named_exists(page):
    text = page.read_text("utf-8")
    typed = "\n".join(code(page)) + "\n" + "\n".join(re.findall(r"^ *\$ (.*)", text, re.MULTILINE))
    named = re.findall(r"^klaviyo ([a-z]\w*)", typed, re.MULTILINE)

    assert set(named) - set(COMMANDS) == set()


def test_every_page_is_in_the_index():
    index = (DOCS / "README.md").read_text("utf-8")

    assert [page.name for page in PAGES if page.name != "README.md" and f"]({page.name})" not in index] == []


# The table of Redis keys.


def documented():
    """The keys of redis-keys.md: what each begins with, and what stands behind what changes, such as ``:errors``."""
    page = (DOCS / "redis-keys.md").read_text("utf-8")
    keys = re.findall(r"`klaviyo:([^`]+)`", "\n".join(re.findall(r"^\| ([^|]*)", page, re.MULTILINE)))
    split = [re.split(r"<[^>]*>", key) for key in keys]
    return {parts[0].rstrip(":") for parts in split}, {parts[-1] for parts in split if parts[-1] != parts[0]} - {""}


@cache
def built_in_lua():
    """The beginnings and ends of the keys that a script builds, by the file."""
    found = {}
    for path in ROOT.glob("*/**/*.lua"):
        text = re.sub(r"--[^\n]*", "", path.read_text("utf-8"))
        begin = re.findall(r"\bP \.\. '([\w:]+)'", text) + re.findall(r"\bkey\('(\w+)'", text)
        # Hashes that are gone through by name: for _, what in ipairs({ 'attempts', … }) do call('HDEL', P .. what …
        for listed in re.findall(r"in ipairs\((\{[^}]*\})\) do\s+[^\n]*P \.\. what", text):
            begin += re.findall(r"'(\w+)'", listed)
        found[path.relative_to(ROOT).as_posix()] = set(begin), set(re.findall(r"\.\. '(:\w+)'", text))
    return found


def words(path):
    """The texts that are put together in a Python file: pairs of what is put in and the text behind it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            for before, after in pairwise(node.values):
                if isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant):
                    yield ast.unparse(before.value), str(after.value)


@cache
def built_in_python():
    """The same of Python, where keys are f-strings that begin with our prefix."""
    found = {}
    for path in (each for room in ("worker", "tasks", "schedules", "cli") for each in (ROOT / room).rglob("*.py")):
        text = path.read_text("utf-8")
        begin = {
            re.split(r"[^\w:]", behind)[0]
            for prefix, behind in words(path)
            if prefix in {"KEY_PREFIX", "self._prefix", "prefix"}
        }
        ends = set(re.findall(r"\"(:[a-z]+)\"", text)) if "_prefix" in text else set()
        if begin:
            found[path.relative_to(ROOT).as_posix()] = begin, ends
    return found


def missing(built):
    heads, ends = documented()
    for file, (begun, ended) in built.items():
        yield from ((file, name) for name in sorted(begun) if name.rstrip(":") not in heads)
        yield from ((file, name) for name in sorted(ended) if name not in ends)


@pytest.mark.parametrize("built", [built_in_lua, built_in_python], ids=["lua", "python"])
def test_every_redis_key_has_its_row(built):
    assert sum(len(begun) for begun, _ in built().values()) > 15
    assert list(missing(built())) == []


def test_every_row_is_about_a_redis_key_that_is_built():
    built = {name.rstrip(":") for begun, _ in (*built_in_lua().values(), *built_in_python().values()) for name in begun}
    heads, _ = documented()

    # RedBeat adds names of its own to its prefix.
    assert {head for head in heads - built if head.partition(":")[0] not in built} == set()


# What programs say.


@cache
def said():
    """Every text in the code, with what is put into it left out and adjacent pieces joined."""
    texts = []
    for room in ("worker", "tasks", "schedules", "cli"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    texts.append("".join(str(getattr(each, "value", "")) if isinstance(each, ast.Constant) else "…"
                                         for each in node.values))  # fmt: skip
    return "\n".join(texts)


def test_every_sentence_that_is_quoted_is_said_by_a_program():
    quoted = re.findall(r'"([^"\n]{8,})"', BLOCK.sub("", (DOCS / "troubleshooting.md").read_text("utf-8")))
    sentences = [each for each in quoted if "=" not in each]

    assert len(sentences) > 15
    assert [each for each in sentences if each not in said()] == []
