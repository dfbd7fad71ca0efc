"""Which way imports lead: never in a circle, whether they stand at the top of a module or inside a function."""

from __future__ import annotations

from collections.abc import Mapping

import grimp

ROOMS = ("cli", "sandbox", "schedules", "tasks", "worker")


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The modules that are left when all are taken away, again and again, which import none or which none imports."""
    left = {module: set(imported) for module, imported in imports.items()}
    while True:
        needed = set().union(*left.values())
        kept = {module for module, imported in left.items() if imported & left.keys() and module in needed}
        if kept == left.keys():
            return sorted([module, *sorted(imported & kept)] for module, imported in left.items())
        left = {module: left[module] & kept for module in kept}


def test_a_circle_is_found_with_what_it_leads_through():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [["b", "c"], ["c", "b"]]


def test_no_module_imports_itself_by_way_of_others():
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert circles(imports) == []
