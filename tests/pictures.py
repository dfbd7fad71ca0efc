"""The pictures in docs/images, of Flower and of Prometheus: made in a headless Chromium, of the sandbox's data alone.

    python -m tests.pictures          those that the documents show
    python -m tests.pictures FOLDER   every page, into another folder

Look at each one afterwards: what a test cannot see is why they are made.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from cli.up.embedded import find_server
from schedules.store.migrate import upgrade
from tests.celery_connections import connected_to
from tests.live import forked
from tests.live.flower_scene import (
    CROWD,
    make_scene,
    open_browser,
    open_flower,
    save_picture,
    see_others,
    show_import_alive,
)
from tests.live.prometheus import DASHBOARD, RULES, Prometheus, asked, configuration
from tests.live.system import ROOT, Sandbox, Server, System
from tests.ports import free_port
from tests.run_folder import make_run_folder
from worker.one_per_process import forget
from worker.settings import get_settings

#: Where the documents look for them.
FOLDER = ROOT / "docs" / "images"

#: Each picture's name, and the page that it shows.
PAGES = {
    "flower-limits": "klaviyo/limits",
    "flower-failures": "klaviyo/failures",
    "flower-jobs": "klaviyo/jobs",
    "flower-imports": "klaviyo/imports",
    "flower-syncs": "klaviyo/syncs",
    "flower-schedules": "klaviyo/schedules",
    "flower-accounts": "klaviyo/accounts",
    "flower-workers": "workers",
    "flower-tasks": "tasks",
    "flower-waiting": "tasks?state=WAITING",
    "flower-failed": "tasks?state=FAILURE",
    "flower-broker": "broker",
}

#: Those that the documents show.
IN_DOCUMENTS = ("flower-limits", "flower-failures", "flower-imports", "flower-waiting", "flower-failed")

#: Seconds until a page has drawn all that it asks for.
DRAWN_S = 2.5

#: The panels of the dashboard whose queries Prometheus is shown to answer, and the seconds of traffic that it shows.
PANELS, TRAFFIC_S = ("Use of the minute", "Requests by status", "Empty in"), 90


@contextmanager
def as_application(system: System) -> Iterator[None]:
    """Let this process publish to the system, as an application does."""
    os.environ.update({name: value for name, value in system.environment().items() if name.startswith("KLAVIYO_")})
    forget()
    with connected_to(system.server.broker_url, get_settings().redis.result_url):
        yield
    forget()


def picture_prometheus(prometheus: Prometheus, path: Path) -> None:
    """Save what Prometheus' own page shows of some queries of the dashboard."""
    panels = {panel["title"]: panel for panel in DASHBOARD["panels"]}
    graphs = {}
    for number, title in enumerate(PANELS):
        [query] = asked(panels[title])
        shown = {"expr": query, "tab": "0", "range_input": f"{TRAFFIC_S}s", "step_input": "1"}
        graphs |= {f"g{number}.{name}": value for name, value in shown.items()}
    with open_browser() as browser:
        browser.get(f"{prometheus.url}/classic/graph?{urlencode(graphs)}")
        time.sleep(DRAWN_S)
        save_picture(browser, path, whole=True)
        print(path)


def main() -> None:
    """Make the pictures, light and dark."""
    folder, names = (Path(sys.argv[1]), tuple(PAGES)) if len(sys.argv) > 1 else (FOLDER, IN_DOCUMENTS)
    work = make_run_folder()
    server = Server(find_server()[0], work / "data", work / "redis.sock")
    sandbox = Sandbox(work / "sandbox.log")
    system = System(server, sandbox, work)
    try:
        store = f"sqlite:///{work}/store.db"
        upgrade(store)
        with as_application(system), open_flower(system, STORE_URL=store) as flower:
            port = free_port()
            make_scene(system, CROWD, METRICS_PORT=port)
            config = configuration(int(flower.rpartition(":")[2]), port, "1s")
            prometheus = Prometheus(work / "prometheus", config, RULES)
            for _ in range(TRAFFIC_S):
                see_others()
                time.sleep(1)
            picture_prometheus(prometheus, folder / "prometheus.png")
            prometheus.close()
            for theme in ("light", "dark"):
                with open_browser(dark=theme == "dark") as browser:
                    for name in names:
                        show_import_alive()
                        see_others()
                        browser.get(f"{flower}/{PAGES[name]}")
                        time.sleep(DRAWN_S)
                        save_picture(browser, folder / f"{name}-{theme}.png")
                        print(folder / f"{name}-{theme}.png")
    finally:
        system.stop_workers()
        sandbox.close()
        server.close()
        forked.stop(work)
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
