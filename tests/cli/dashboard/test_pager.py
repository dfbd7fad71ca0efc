"""The links to the pages before and after, which every long table of the Klaviyo pages has."""

import pytest
from tornado.template import DictLoader

from cli.dashboard.handlers import pages

PAGER = DictLoader(pages().templates).load("klaviyo_pager.html")


def shown(page: int, last: int) -> str:
    return PAGER.generate(page=page, last=last, address=lambda page: f"?lane=now&page={page}").decode()


def test_a_page_in_the_middle_leads_to_those_before_and_after_it():
    text = shown(2, 1_200)

    assert "page 2 of 1,200" in text
    assert '<a rel="prev" href="?lane=now&amp;page=1">' in text
    assert '<a rel="next" href="?lane=now&amp;page=3">' in text


@pytest.mark.parametrize(("page", "leads"), [(1, "next"), (3, "prev")])
def test_the_first_page_leads_only_on_and_the_last_only_back(page: int, leads: str):
    text = shown(page, 3)

    assert [each for each in ("prev", "next") if f'rel="{each}"' in text] == [leads]


def test_a_single_page_has_no_links():
    assert shown(1, 1).strip() == ""
