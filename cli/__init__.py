"""The command line: `klaviyo`."""

from __future__ import annotations


def main() -> None:
    """Run the command that was typed."""
    from cli.commands import app

    app()
