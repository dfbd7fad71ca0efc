"""The alert rules: each fires for its fault and for nothing else, and says where to read what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text("utf-8")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
ALERTS = re.findall(r"^ *- alert: (\w+)$", RULES, re.MULTILINE)


@pytest.fixture
def promtool():
    """Runs promtool beside the rules; what it says."""
    if not shutil.which("promtool"):
        missing("This test needs promtool: install Debian's package prometheus")

    def run(*command):
        done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_prometheus_takes_the_rules_and_the_configuration(promtool):
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", "alerts.yml")
    promtool("check", "config", "prometheus.yml")


def test_each_fault_fires_its_alert_and_a_healthy_deployment_none(promtool):
    promtool("test", "rules", "alerts_test.yml")

    tested = set(re.findall(r'alertname="(\w+)"', (FOLDER / "alerts_test.yml").read_text("utf-8")))
    assert tested == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_leads_to_its_section_of_the_runbook(alert):
    assert f"runbook_url: docs/runbook.md#{alert.lower()}\n" in RULES
    section = RUNBOOK.partition(f"\n### {alert}\n")[2].partition("\n##")[0]
    assert [*re.findall(r"^\*\*(.*?):\*\*", section, re.MULTILINE)] == ["Means", "Look at", "Do"]


def test_the_runbook_has_no_section_of_an_alert_that_is_gone():
    assert re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE) == sorted(
        ALERTS, key=lambda alert: RUNBOOK.find(f"### {alert}\n")
    )
