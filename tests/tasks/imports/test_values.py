"""Single values as exports have them: addresses, phone numbers, dates, amounts, cells of spreadsheets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.imports import phones
from tasks.imports.addresses import parse_address
from tasks.imports.amounts import infer_decimal, is_ambiguous_amount, parse_amount
from tasks.imports.cells import tidy_cells
from tasks.imports.countries import country_code
from tasks.imports.dates import infer_order, is_ambiguous_date, normalise_moments, parse_date_or_time
from tasks.imports.phones import parse_phone
from tasks.imports.values import point_in_time
from tests.cases import for_each
from tests.soak import sized

# Addresses.


@pytest.mark.parametrize(
    "cell",
    [
        "per@example.com",
        " per@example.com ",
        "\u00a0per@example.com\u200b",
        "per@example.com\x00",
        "mailto:per@example.com",
        "MAILTO:per@example.com?subject=Hi",
        "Per <per@example.com>",
        '"Berg, Per" < per@example.com >',
        "<per@example.com>",
        "'per@example.com'",
        "per@example.com;",
    ],
)
def test_an_address_is_unwrapped(cell: str):
    assert parse_address(cell) == "per@example.com"


@pytest.mark.parametrize("cell", ["Per@Example.COM", "p+t@a.b.example.com", "p.e.r@exämple.com", "o'hara@example.com"])
def test_an_address_stays_as_it_is(cell: str):
    assert parse_address(cell) == cell


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("per", "not an email address; write it like name@example.com$"),
        ("per@example", "there is no dot after the @"),
        ("per@example..com", "there is a dot in the wrong place"),
        (".per@example.com", "there is a dot in the wrong place"),
        ("per.@example.com", "there is a dot in the wrong place"),
        ("per@example.com.", "there is a dot in the wrong place"),
        ("p er@example.com", "not an email address; write it like name@example.com$"),
        ("p\u200ber@example.com", r"it contains the invisible character U\+200B; take it out"),
        ("p\x00er@example.com", r"it contains the invisible character U\+0000; take it out"),
        ("a@example.com, b@example.com", "seems to be several"),
        ("Per <a@example.com> <b@example.com>", "seems to be several"),
        ("p" * 65 + "@example.com", "more than 64 characters before the @"),
    ],
)
def test_what_klaviyo_does_not_take_for_an_address_is_rejected_with_the_reason(cell: str, told: str):
    with pytest.raises(ValueError, match=told):
        parse_address(cell)


def test_a_cell_of_blanks_holds_no_address_and_no_number():
    assert parse_address(" \u00a0") == parse_phone(" \u00a0", None) == ""


# Phone numbers.


@pytest.mark.parametrize(
    ("cell", "country", "number"),
    [
        ("+17755550154", None, "+17755550154"),
        ("(775) 555-0154", "US", "+17755550154"),
        ("1-775-555-0154", "US", "+17755550154"),
        ("070-111 22 33", "SE", "+46701112233"),
        ("+46 (0)70-111 22 33", None, "+46701112233"),
        ("0046 70 111 22 33", None, "+46701112233"),
        ("0046 70 111 22 33", "US", "+46701112233"),
        ("06 12345678", "NL", "+31612345678"),
        ("02 36618300", "IT", "+390236618300"),
        ("0170 1234567", "DE", "+491701234567"),
        ("\u200e+46701112233", None, "+46701112233"),
    ],
)
def test_a_phone_number_is_read_as_of_its_country(cell: str, country: str | None, number: str):
    assert parse_phone(cell, country) == number


def test_a_number_may_begin_with_the_code_of_its_country_where_that_is_said():
    assert parse_phone("33611111111", None, international=True) == "+33611111111"


@pytest.mark.parametrize(
    ("cell", "country", "told"),
    [
        ("070-111 22 33", None, "has no country code"),
        ("ring mig", "SE", "this is not a phone number; write it like"),
        ("4.67E+10", "SE", "a spreadsheet has rounded it"),
        ("555-0154", "US", "too few or too many digits"),
        ("+1775555", None, "too few or too many digits"),
    ],
)
def test_what_is_no_phone_number_is_rejected_with_the_reason(cell: str, country: str | None, told: str):
    with pytest.raises(ValueError, match=told):
        parse_phone(cell, country)


def slowly(cell: str, country: str | None) -> str | None:
    try:
        return phones._parsed(cell, country)
    except ValueError:
        return None


COUNTRIES = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))
DIGITS = st.text("0123456789", min_size=3, max_size=15)
MARKS = st.sampled_from(["", " ", "-", "(", ") ", ".", "/"])


@pytest.mark.soak
@settings(max_examples=sized(300, 5_000))
@given(digits=DIGITS, country=COUNTRIES, marks=st.lists(MARKS, min_size=3, max_size=3))
@example(digits="0709876543", country="SE", marks=["", "-", " "])
@example(digits="7755550154", country="US", marks=["(", ") ", "-"])
@example(digits="4670111223", country="SE", marks=["", "", ""])
def test_what_is_made_of_a_national_number_quickly_is_what_phonenumbers_makes_of_it(
    digits: str, country: str, marks: list[str]
):
    cell = f"{marks[0]}{digits[:3]}{marks[1]}{digits[3:6]}{marks[2]}{digits[6:]}"

    quick = phones._quickly(cell, country)

    assert quick in (None, slowly(cell, country))


@pytest.mark.soak
@settings(max_examples=sized(300, 5_000))
@given(digits=DIGITS, country=COUNTRIES)
def test_what_is_made_of_an_international_number_quickly_is_what_phonenumbers_makes_of_it(digits: str, country: str):
    code = phonenumbers.country_code_for_region(country)
    for cell in (f"+{digits}", f"+{code}{digits}", f"+{code} 0{digits}", f"+{code} {digits[:3]}-{digits[3:]}"):
        assert phones._quickly(cell, None) in (None, slowly(cell, None))
        if phones.are_plain([cell]):
            assert cell == slowly(cell, None)


@for_each(sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_example_numbers_of_every_country_are_read(country: str):
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        if found := phonenumbers.example_number_for_type(country, kind):
            expected = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
            for form in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
                cell = phonenumbers.format_number(found, form)
                assert parse_phone(cell, country) == slowly(cell, country)
            assert parse_phone(expected, None) == expected


@pytest.mark.parametrize(
    ("name", "code"),
    [("SE", "SE"), ("se", "SE"), ("UK", "GB"), ("Sverige", "SE"), ("United States", "US"), ("DEU", "DE"), ("Mu", "MU")],
)
def test_a_country_is_known_by_its_code_and_its_names(name: str, code: str):
    assert country_code(name) == code


def test_an_unknown_country_has_no_rules_for_phone_numbers():
    assert country_code("Atlantis") is None


# Dates.


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("2024-05-23", date(2024, 5, 23)),
        ("20240523", date(2024, 5, 23)),
        ("2024/5/3", date(2024, 5, 3)),
        ("05/23/2024", date(2024, 5, 23)),
        ("23.05.24", date(2024, 5, 23)),
        ("5/23/2024, 3:14 PM", datetime.fromisoformat("2024-05-23T15:14:00")),
        ("23-05-2024 09:30", datetime.fromisoformat("2024-05-23T09:30:00")),
        ("June 3, 2024", date(2024, 6, 3)),
        ("3. Juni 2024", date(2024, 6, 3)),
        ("03-Jun-2024", date(2024, 6, 3)),
        ("Jun 3, 2024, 12:14:15 AM", datetime.fromisoformat("2024-06-03T00:14:15")),
        ("2025-11-02 18:22:11", datetime.fromisoformat("2025-11-02T18:22:11")),
        ("2026-05-01 10:00:00 +0200", datetime.fromisoformat("2026-05-01T10:00:00+02:00")),
        ("Mon, 03 Jun 2024 10:00:00 GMT", datetime.fromisoformat("2024-06-03T10:00:00+00:00")),
        ("2024-05-23 14:30 UTC", datetime.fromisoformat("2024-05-23T14:30:00+00:00")),
        ("1716470400", datetime.fromisoformat("2024-05-23T13:20:00+00:00")),
        ("05/05/2024", date(2024, 5, 5)),
    ],
)
def test_a_date_is_read_in_the_forms_of_exports(cell: str, read: date):
    assert parse_date_or_time(cell) == read


@pytest.mark.parametrize(
    "cell", ["31/02/2024", "hello", "12:30", "13/13/2024", "June 31, 2024", "2024-05-23 25:00", ""]
)
def test_what_is_no_date_is_rejected_with_the_reason(cell: str):
    with pytest.raises(ValueError, match="this is not a date or time that can be read"):
        parse_date_or_time(cell)


@pytest.mark.parametrize(
    ("offset", "hours"),
    [
        ("+2", 2),
        ("+02", 2),
        ("-5:30", -5.5),
        ("+05:30", 5.5),
        ("+0530", 5.5),
        ("+530", 5.5),
        ("UTC+1", 1),
        ("+14:00", 14),
    ],
)
def test_an_offset_is_hours_or_hours_and_two_digits_of_minutes(offset: str, hours: float):
    read = parse_date_or_time(f"23.05.2024 14:30 {offset}")

    assert read == datetime(2024, 5, 23, 14, 30, tzinfo=timezone(timedelta(hours=hours)))


@pytest.mark.parametrize("offset", ["+1:3", "+12:3", "+1:", "+12:", "UTC+1:3", "+2:60", "+01:2:3", "+", "+12345"])
def test_an_offset_that_is_none_is_rejected_with_its_time(offset: str):
    for day in ("23.05.2024", "2024-05-23", "June 3, 2024"):
        with pytest.raises(ValueError, match="this is not a date or time that can be read"):
            parse_date_or_time(f"{day} 14:30 {offset}")


@pytest.mark.parametrize("offset", ["+15:00", "+14:01", "-12:01", "-1300", "+99:00"])
def test_a_time_in_a_zone_that_is_nowhere_is_rejected_however_it_is_written(offset: str):
    for cell in (f"2024-05-23T14:30:00{offset}", f"23.05.2024 14:30 {offset}", f"June 3, 2024 14:30 {offset}"):
        assert normalise_moments([cell]) is None
        with pytest.raises(ValueError, match=r"no time zone has this offset|this is not a date or time"):
            parse_date_or_time(cell)


def test_day_and_month_are_distinguished_by_evidence_and_never_guessed():
    assert [infer_order(cell) for cell in ("13/02/2024", "02/13/2024", "01/02/2024", "01.02.2024", "2024-01-02")] == [
        "day-first", "month-first", None, "day-first", None,
    ]  # fmt: skip
    assert [is_ambiguous_date(cell) for cell in ("01/02/2024", "02/02/2024", "13/02/2024", "2024-01-02", "x")] == [
        True, False, False, False, False,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="this can be read as two dates: say what comes first"):
        parse_date_or_time("01/02/2024")
    assert parse_date_or_time("01/02/2024", "day-first") == date(2024, 2, 1)
    assert parse_date_or_time("01/02/2024", "month-first") == date(2024, 1, 2)


@settings(max_examples=200)
@given(moment=st.integers(0, 2_000_000_000).map(lambda each: datetime.fromtimestamp(each, UTC).replace(tzinfo=None)))
def test_every_form_of_a_time_is_read_as_that_time(moment: datetime):
    forms = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d %B %Y %H:%M:%S",
             "%B %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p")  # fmt: skip
    assert {parse_date_or_time(moment.strftime(form)) for form in forms} == {moment}
    assert parse_date_or_time(moment.strftime("%d/%m/%Y %H:%M:%S"), "day-first") == moment
    assert parse_date_or_time(moment.strftime("%m/%d/%Y %I:%M:%S %p"), "month-first") == moment


OFFSETS = st.sampled_from(["Z", "+00:00", "+02:00", "-03:30", "+14:00", "-12:00", "-00:00", "+0100", ""])


@settings(max_examples=300)
@given(
    moment=st.integers(0, 2_000_000_000).map(lambda each: datetime.fromtimestamp(each, UTC).replace(tzinfo=None)),
    offset=OFFSETS,
    between=st.sampled_from(["T", " "]),
)
def test_a_column_of_moments_is_read_as_each_of_them_is(moment: datetime, offset: str, between: str):
    cell = f"{moment.isoformat(between)}{offset}"

    read = normalise_moments([cell, ""])

    assert read is None or read == [point_in_time(cell, None), ""]
    assert (read is None) == (offset in ("-00:00", "+0100", "") or (moment.month, moment.day) == (2, 29))


@pytest.mark.parametrize("cell", ["2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01"])
def test_a_column_with_what_is_no_moment_is_read_one_by_one(cell: str):
    assert normalise_moments(["2024-01-01T00:00:00Z", cell]) is None


# Numbers.


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("7", 7),
        ("-12.50", -12.5),
        ("$0.00", 0),
        ("1,234,567.00", 1234567),
        ("899,00", 899),
        ("899kr", 899),
        ("kr 1 234,50", 1234.5),
        ("1.234,56 €", 1234.56),
        ("1\u00a0234,5", 1234.5),
        ("1'234.50", 1234.5),
        ("(5.00)", -5),
        ("-$5.00", -5),
        ("EUR 5", 5),
        ("99,-", 99),
        ("1e3", 1000),
    ],
)
def test_a_number_is_read_with_its_currency_and_its_groups(cell: str, read: float):
    assert parse_amount(cell) == read


@pytest.mark.parametrize("cell", ["", "abc", "nan", "1,2,3", "٣", "5 apples", "(5", "1_000", "12-5"])
def test_what_is_no_number_is_rejected_with_the_reason(cell: str):
    with pytest.raises(ValueError, match="this is not a number"):
        parse_amount(cell)


def test_a_comma_before_three_digits_is_never_guessed():
    assert is_ambiguous_amount("1,234")
    assert not any(map(is_ambiguous_amount, ("1.234", "1,23", "1,234.5", "1,234,567")))
    assert [infer_decimal(cell) for cell in ("1,23", "1,234.5", "1,234", "12")] == [
        "decimal-comma", "decimal-point", None, None,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="this can be read as two numbers: say which decimal mark it has"):
        parse_amount("1,234")
    assert (parse_amount("1,234", "decimal-comma"), parse_amount("1,234", "decimal-point")) == (1.234, 1234)
    assert parse_amount("1.234", "decimal-comma") == 1234


@settings(max_examples=200)
@given(cents=st.integers(-(10**9), 10**9))
def test_every_form_of_an_amount_is_read_as_that_amount(cents: int):
    point = f"{cents / 100:,.2f}"
    comma = point.translate(str.maketrans(",.", ".,"))

    forms = (point, comma, comma.replace(".", " "), point.replace(",", "'"), f"{comma} €", f"USD {point}")
    assert {parse_amount(form) for form in forms} == {cents / 100}


# Cells.


def test_the_apostrophe_by_which_excel_keeps_a_text_is_taken_away_and_no_other():
    cells = ["'+31612345678", "'04403", "'=1+1", "'7210448301122", "'t Hooft", "O'Hara", "'90s kid", "plain"]

    assert tidy_cells(cells) == ["+31612345678", "04403", "=1+1", "7210448301122", *cells[4:]]


def test_what_databases_write_for_nothing_is_nothing():
    assert tidy_cells(["NULL", "\\N", "Null", "NULLABLE"]) == ["", "", "Null", "NULLABLE"]


def test_cells_without_any_of_that_are_not_touched():
    cells = ["a", "b"]

    assert tidy_cells(cells) is cells
