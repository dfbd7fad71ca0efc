"""The command line, `klaviyo`: every command, what it shows, and the demo."""

from __future__ import annotations


def main() -> None:
    """Run the command that was typed."""
    from cli.commands import app

    app()
