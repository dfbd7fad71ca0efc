"""A test of many cases fails as those would by themselves."""

from __future__ import annotations

import pytest

from tests.cases import for_each


def test_every_case_is_tried_and_a_failure_names_all_that_failed():
    tried = []

    @for_each([("create_profile", "email"), ("create_profile", "title"), ("get_lists", "sort"), ("get_tags", "sort")])
    def check(name, parameter):
        tried.append((name, parameter))
        if parameter == "title":
            pytest.fail("as it should")
        assert name != "get_lists"

    with pytest.raises(pytest.fail.Exception, match="as it should") as caught:
        check()

    assert len(tried) == 4
    assert caught.value.__notes__ == ["Failed for 2 of 4:\ncreate_profile, title\nget_lists, sort"]


def test_a_check_that_every_case_passes_passes():
    for_each(["create_profile", "get_lists"])(lambda name: None)()
