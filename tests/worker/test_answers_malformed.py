"""Whatever Klaviyo answers becomes an envelope that can be read, or one of our errors."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.profiles import get_profiles
from tasks.reporting import query_campaign_values
from tests.cases import for_each
from tests.malformed import answered, malformed, many, page, read_or_told
from worker.api.jsonapi import MAX_RETRY_AFTER_S as LONGEST_S
from worker.api.jsonapi import interpret, quota
from worker.api.paging import attributes, listed, next_page, one, page_items
from worker.errors import Throttled

pytestmark = pytest.mark.soak

PROFILE = {
    "type": "profile", "id": "P1", "attributes": {"email": "ada@example.com", "updated": "2026-11-24T12:00:00+00:00"},
    "relationships": {"lists": {"data": [{"type": "list", "id": "L1"}]}}, "links": {"self": "x"},
}  # fmt: skip
LIST = page(PROFILE, {**PROFILE, "id": "P2"}, included=[{"type": "list", "id": "L1", "attributes": {"name": "News"}}])
REPORT = {"data": {"type": "campaign-values-report", "attributes": {"results": [{"groupings": {}, "statistics": {}}]}}}
ERRORS = {
    "errors": [
        {"id": "e-1", "code": "invalid", "title": "Invalid", "detail": "No.", "source": {"pointer": "/data/0"},
         "meta": {"duplicate_profile_id": "P1"}, "links": {}, "status": 400}
    ]
}  # fmt: skip
VALUES = [
    "", "7", "-7", "1.5", "1e400", "nan", "inf", "-inf", "²", "٣", "7, 7;w=1", "x", "None", "9" * 30, "9" * 5000,
    "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00", "Wed, 99 Oct 20260 07:28:00 GMT", " ", "0",
]  # fmt: skip
HEADERS = st.sampled_from(VALUES)


@pytest.mark.parametrize(
    ("document", "declaration"),
    [(LIST, get_profiles.declaration), (REPORT, query_campaign_values.declaration), ({"data": PROFILE}, None)],
    ids=["list", "report", "one"],
)
def test_an_answer_that_is_not_well_formed_is_refused_in_words_or_read(document, declaration):
    @many
    @given(malformed(document), st.sampled_from((None, "abc")))
    def holds(changed, cursor):
        envelope = answered(changed)
        if envelope is None:
            return
        assert all(isinstance(attributes(each), dict) for each in (one(envelope), *page_items(envelope)))
        if declaration:
            with read_or_told():
                following = next_page(declaration, {"page_cursor": cursor}, envelope)
                assert following is None or following["page_cursor"] != cursor
            with read_or_told():
                listed(declaration, envelope)

    holds()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500])
def test_an_error_that_is_not_well_formed_is_told_as_far_as_it_can_be(status):
    @many
    @given(malformed(ERRORS), HEADERS)
    def holds(changed, header):
        assert answered(changed, status, {"retry-after": header}) is None

    holds()


@pytest.mark.parametrize("content", [b"", b"\xff", b"nul", b"[" * 100_000, b'{"errors": "', b'"\\ud800"'])
@pytest.mark.parametrize("status", [200, 202, 302, 400, 429, 503])
def test_a_body_that_is_not_json_ends_in_an_error_too(content, status):
    with read_or_told():
        assert interpret("get_profiles", "default", status, {}, content, reads=True)["successful"]


@pytest.mark.parametrize(
    ("given_", "seconds"),
    [
        ("17", 17), ("1.5", 1.5), ("0", 0), ("-3", 0), ("86401", LONGEST_S), ("9" * 400, LONGEST_S), ("inf", LONGEST_S),
        ("Wed, 25 Nov 2026 08:00:30 GMT", 30), ("Wed, 25 Nov 2026 07:00:00 GMT", 0), ("²", None), ("soon", None),
        ("nan", None), ("", None), ("Wed, 99 Nov 2026 08:00:30 GMT", None),
    ],
)  # fmt: skip
def test_a_retry_after_is_seconds_or_a_moment_or_not_told(given_, seconds):
    headers = {"retry-after": given_, "date": "Wed, 25 Nov 2026 08:00:00 GMT"}

    with pytest.raises(Throttled) as caught:
        interpret("get_profiles", "default", 429, headers, b"", reads=True)

    assert caught.value.retry_after == seconds


@for_each(product(VALUES, repeat=3))
def test_rate_limit_headers_say_what_a_minute_can_have_or_nothing(limit, remaining, reset):
    found = quota({"ratelimit-limit": limit, "ratelimit-remaining": remaining, "ratelimit-reset": reset})

    assert found is None or (0 < found.limit <= 1_000_000 and 0 <= found.remaining <= found.limit and found.reset <= 60)
    assert found is None or found.reset >= 0
