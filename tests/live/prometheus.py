"""A real Prometheus with the configuration of deploy/, which reads a Flower and a worker of a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.live.fetch import get
from tests.live.system import ROOT, end, until
from tests.ports import free_port

DEPLOY = ROOT / "deploy"
CONFIG = (DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8")
RULES = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "klaviyo.json").read_text("utf-8"))


def asked(panel: dict[str, Any], interval: str = "20s") -> Iterator[str]:
    """Each query of a panel of the dashboard, as Grafana asks it."""
    for target in panel.get("targets", ()):
        yield target["expr"].replace("$__rate_interval", interval).replace("$account", ".*")


def configuration(flower: int, worker: int, interval: str) -> str:
    """The configuration as deployed, with ports of this machine and a shorter interval of scrapes."""
    config = CONFIG.replace("15s", interval).replace("flower:5555", f"127.0.0.1:{flower}")
    found = config.partition("    dns_sd_configs:")
    assert found[2].startswith("\n      - names: [worker]\n        type: A\n        port: 9540\n")
    rest = found[2].partition("9540\n")[2]
    return f'{found[0]}    static_configs:\n      - targets: ["127.0.0.1:{worker}"]\n{rest}'


class Prometheus:
    """A Prometheus server, and which alerts it has fired."""

    def __init__(self, folder: Path, config: str, rules: str) -> None:
        folder.mkdir()
        (folder / "prometheus.yml").write_text(config)
        (folder / "alerts.yml").write_text(rules)
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.fired: set[str] = set()
        self._log = folder / "log"
        command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
            )
        until(self.answers, 20, "Prometheus")

    def answers(self) -> bool:
        """Whether it can be asked."""
        assert self._process.poll() is None, self._log.read_text()
        try:
            return get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def firing(self) -> set[str]:
        """Every alert that has fired so far."""
        alerts = get(f"{self.url}/api/v1/alerts").json()["data"]["alerts"]
        self.fired |= {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}
        return self.fired

    def query(self, text: str) -> list[Any]:
        """What a query finds now."""
        answer = get(f"{self.url}/api/v1/query", query=text).json()
        assert answer["status"] == "success", (text, answer)
        found: list[Any] = answer["data"]["result"]
        return found

    def close(self) -> None:
        """End it."""
        end(self._process)
