"""Imports of files, carried out by real workers against a sandbox that refuses some of their rows."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from tasks.imports import import_profiles

BAD = ("malformed e-mail", "malformed phone", "no identifier", "too large", "duplicate", "refused", "job")


def write(path, bad, rows):
    """Rows of which every so many is bad in one of seven ways; returns the bad ones by their numbers."""
    every = rows // bad
    kinds = {}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["E-Mail", "phone_number", "first_name", "note"])
        for row in range(1, rows + 1):
            email, phone, note = f"p{row}@example.com", "", ""
            if row % every == 0 and len(kinds) < bad:
                kinds[row] = kind = BAD[len(kinds) % len(BAD)]
                email = {
                    "malformed e-mail": f"p{row}@", "no identifier": "", "duplicate": "p1@example.com",
                    "refused": f"p{row}@refused.example", "job": f"p{row}@reject.example",
                }.get(kind, email)  # fmt: skip
                phone = "12-34" if kind == "malformed phone" else ""
                note = "x" * 100_001 if kind == "too large" else ""
            writer.writerow([email, phone, f"P{row}", note])
    return kinds


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(120)
def test_of_ten_thousand_rows_with_137_bad_ones_exactly_those_are_rejected(idle, tmp_path):
    idle.sandbox.jobs(seconds=[0.3, 1], times=None)
    source = tmp_path / "customers.csv"
    bad = write(source, 137, 10_000)

    report = import_profiles(source, mapping=["E-Mail=email", "note=properties.note"])

    told = {int(each["row"]): each for each in rows_of(report.rejects)}
    original = rows_of(source)
    assert sorted(told) == sorted(bad)
    assert all(told[row]["E-Mail"] == original[row - 1]["E-Mail"] for row in bad)
    assert Counter(each["stage"] for each in told.values()) == {"check": 99, "refused": 19, "job": 19}
    assert (report.rows, report.landed, report.failed, report.unknown) == (10_000, 9_863, 137, 0)
    assert idle.sandbox.state()["profile"] == 9_863
