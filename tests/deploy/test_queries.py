"""What the rules, the dashboard and KEDA ask for is what is served."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from cli import metrics
from worker.telemetry.metrics import WorkerMeter

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/klaviyo.json").read_text("utf-8"))


def served():
    """Every name that either endpoint serves."""
    registry = CollectorRegistry()
    WorkerMeter(registry)
    counted = {name for family in registry.collect() for name in _of(family)}
    modules = Path(metrics.__file__).parent.glob("*.py")
    texts = [module.read_text("utf-8") for module in modules]
    told = {f"klaviyo_{name}" for text in texts for name in re.findall(r'\b(?:gauge|single)\(\s*"(\w+)"', text)}
    return counted | told


def _of(family):
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}[family.type]
    return [family.name + end for end in ends]


def asked(text):
    return set(re.findall(r"\bklaviyo_[a-z_]+", text))


def test_every_metric_that_a_rule_the_dashboard_or_keda_asks_for_is_served():
    texts = {
        path: path.read_text("utf-8")
        for path in (
            ROOT / "deploy/prometheus/alerts.yml",
            ROOT / "deploy/prometheus/alerts_test.yml",
            ROOT / "deploy/grafana/dashboards/klaviyo.json",
            ROOT / "deploy/keda/scaledobject.yaml",
        )
    }

    unknown = {str(path): asked(text) - served() for path, text in texts.items()}
    assert {path: names for path, names in unknown.items() if names} == {}


def test_every_metric_is_on_the_dashboard_or_in_a_rule():
    used = asked((ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8")) | asked(json.dumps(DASHBOARD))

    assert {_family(name) for name in served()} == {_family(name) for name in used}


def _family(name):
    return re.sub(r"_(total|bucket|sum|count)$", "", name)


def test_each_panel_says_what_it_shows():
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

    assert all(panel["description"] and panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
