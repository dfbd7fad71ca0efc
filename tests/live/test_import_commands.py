"""The commands of imports, each a process as a shell starts it, with a real worker."""

from __future__ import annotations

import csv
import json
import signal

from tasks.lists import create_list
from tests.live.command_line import Command
from tests.live.system import PATIENT, end, until

WORKER = PATIENT


def write(path, rows):
    """People, of whom every hundredth is refused by Klaviyo."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["E-Mail", "first_name"])
        for row in range(1, rows + 1):
            writer.writerow([f"p{row}@{'refused.example' if row % 100 == 0 else 'example.com'}", f"P{row}"])


def klaviyo(system, *words):
    return Command(system.folder, system.environment(), *words).done()


def test_an_import_is_told_to_its_last_row_and_nobodys_address_with_it(idle, tmp_path):
    idle.sandbox.jobs(seconds=0.2, times=None)
    create_list(name="News")
    source = tmp_path / "customers.csv"
    write(source, 1_000)

    done = klaviyo(idle, "import", "profiles", source, "--map", "E-Mail=email", "--list", "news", "--json")
    report = json.loads(done.stdout)
    shown = [klaviyo(idle, "imports", report["run"]), klaviyo(idle, "jobs", "--failed")]

    assert done.returncode == 1
    assert (report["rows"], report["landed"], report["rejected"]) == (1_000, 990, 10)
    assert (
        f"10 of 1,000 rows did not land: The email address was refused (email) (10). They are in {report['rejects']}."
        in (done.stderr)
    )
    assert [each.returncode for each in shown] == [0, 0]
    assert "10: 10 by Klaviyo" in shown[0].stdout
    assert report["run"] in shown[1].stdout
    assert not any("@" in each.stdout + each.stderr for each in (done, *shown))


def test_ctrl_c_breaks_a_run_off_and_the_same_command_takes_it_up_again(idle, tmp_path):
    idle.sandbox.jobs(seconds=0.5, times=None)
    source = tmp_path / "customers.csv"
    write(source, 20_099)
    words = ["import", "profiles", str(source), "--map", "E-Mail=email", "--run", "nightly", "--json"]

    with idle.sandbox.held():
        first = Command(idle.folder, idle.environment(), *words)
        until(lambda: idle.redis.hget("klaviyo:run:nightly", "parts") == "3", 20, "three parts")
        code = end(first.process, signal.SIGINT)
    said = first.stderr
    again = klaviyo(idle, *words)

    assert code == 130
    assert "Run nightly was interrupted; what is queued is still sent." in said
    assert again.returncode == 1
    assert json.loads(again.stdout)["landed"] == 20_099 - 200
    assert idle.sandbox.state()["profile"] == 20_099 - 200
    accepted = [status for status in idle.sandbox.statuses("bulk_import_profiles") if status == 202]
    assert len(accepted) == 3
