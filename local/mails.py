"""Show the mails that the authentication wrote: ``make mails TO=ada@example.org``.

On the local engine no mail is sent: each lies in a table for a day. The newest comes last.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from local.commands import deployed_suite
from local.progress import say
from ops.stacks import CommandError

__all__ = ["add_arguments", "run"]

_MOST = 10
_KEPT_S = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--to", help="mails to this address alone")


def run(state: Path, arguments: argparse.Namespace, console: Console) -> int:
    """Show the newest ten.

    Raises:
        CommandError: The suite is not up, or has no authentication.
    """
    suite = deployed_suite(state)
    if "AuthOutboxTableName" not in suite.outputs:
        raise CommandError("The suite is deployed without the authentication (EnableAuth).")
    pages = suite.client("dynamodb").get_paginator("scan").paginate(TableName=suite["AuthOutboxTableName"])
    mails = [
        {name: next(iter(value.values())) for name, value in item.items()}
        for page in pages
        for item in page["Items"]
    ]
    wanted = [mail for mail in mails if arguments.to in (None, mail["to"])]
    for mail in sorted(wanted, key=lambda mail: int(mail["expires"]))[-_MOST:]:
        sent = datetime.fromtimestamp(int(mail["expires"]) - _KEPT_S, UTC)
        say(console, f"{sent:%Y-%m-%d %H:%M:%S} UTC, to {mail['to']}: {mail['subject']}\n\n{mail['text']}")
    if not wanted:
        say(console, f"There are no mails{f' to {arguments.to}' if arguments.to else ''} yet.")
    return 0
