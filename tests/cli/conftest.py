"""A file to import, and imports that are not carried out."""

from __future__ import annotations

import pytest

from tasks.imports.run import Import


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "customers.csv"
    path.write_text("email,first_name\nada@example.com,Ada\nno address,Bob\ngrace@example.com,Grace\n")
    return path


@pytest.fixture
def asked(monkeypatch):
    """The imports that would be carried out."""
    calls: list[Import] = []

    def carry_out(wanted, *how):
        calls.append(wanted)
        return 0

    monkeypatch.setattr("cli.imports.command.carry_out", carry_out)
    monkeypatch.setattr("cli.imports.reimport.carry_out", carry_out)
    return calls
