"""The command line: `klaviyo`."""

from __future__ import annotations


def main() -> None:
    """Run the command that was typed."""
    # Here, not above: declaring the actions reads the settings, and a wrong one is told, not thrown.
    from worker.cli.terminal import WRONG, say
    from worker.errors import SettingsError

    try:
        from worker.cli.commands import app
    except SettingsError as error:
        say(str(error), "red")
        raise SystemExit(WRONG) from None
    app()
