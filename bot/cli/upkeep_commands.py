"""The commands of upkeep; `bot.cli.commands` adds them to `nanobot`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Shown = Callable[[object], str]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Number = Annotated[
    int, typer.Argument(help="Its number, as `nanobot outbox list` shows it.", metavar="NUMBER")
]
Person = Annotated[
    str, typer.Option("--person", help="Whose; `nanobot people` shows the names.", metavar="NAME")
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def add(cli: typer.Typer, run: Run, json_of: Shown) -> None:
    """`run` runs a command's coroutine, `json_of` prints what programs read."""
    _add_messages(cli, run, json_of)
    _add_backups(cli)
    _add_person(cli, run)
    _add_rest(cli)


def _add_messages(cli: typer.Typer, run: Run, json_of: Shown) -> None:
    outbox = typer.Typer(
        help="Messages that did not arrive, and what to do with them.",
        no_args_is_help=True,
        epilog="Examples: `nanobot outbox list`, `nanobot outbox retry 12`",
    )
    cli.add_typer(outbox, name="outbox")

    @outbox.command("list", epilog="Example: `nanobot outbox list --json | jq '.[].error'`")
    def outbox_list(
        context: typer.Context,
        everything: Annotated[bool, typer.Option("--all", help="Delivered ones too.")] = False,
        json: Json = False,
    ) -> None:
        """Show messages that wait, are on their way or were refused, the newest first."""
        from bot.cli import upkeep  # noqa: PLC0415 -- httpx

        rows = run(upkeep.outbox(context.obj, everything=everything))
        print(json_of(rows) if json else upkeep.shown_outbox(rows))

    @outbox.command("retry", epilog="Example: `nanobot outbox retry 12`")
    def outbox_retry(context: typer.Context, number: Number) -> None:
        """Try a message again now that waits for its next try, or that was refused."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        run(upkeep.act(context.obj, number, "retry"))
        print(f"{number} is tried again; `nanobot outbox list` shows what comes of it.")

    @outbox.command("drop", epilog="Example: `nanobot outbox drop 12`")
    def outbox_drop(context: typer.Context, number: Number) -> None:
        """Deliver a message no more."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        run(upkeep.act(context.obj, number, "drop"))
        print(f"{number} is not delivered any more; `nanobot outbox retry {number}` undoes that.")

    @cli.command(epilog="Example: `nanobot inbox`")
    def inbox(context: typer.Context, json: Json = False) -> None:
        """Show messages that were taken and are not answered yet, the oldest first."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        rows = run(upkeep.inbox(context.obj))
        print(json_of(rows) if json else upkeep.shown_inbox(rows))

    @cli.command(epilog="Example: `nanobot sessions --json | jq '.[].session'`")
    def sessions(context: typer.Context, json: Json = False) -> None:
        """Show the conversations: chats, topics and mail threads, the last used first."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        rows = run(upkeep.sessions(context.obj))
        print(json_of(rows) if json else upkeep.shown_sessions(rows))


def _add_backups(cli: typer.Typer) -> None:
    @cli.command(epilog="Examples: `nanobot backup`, `nanobot backup /mnt/backups --keep 14`")
    def backup(
        context: typer.Context,
        to: Annotated[
            Path | None,
            typer.Argument(help="A new file, or a folder. Default: a new file here.", metavar="FILE"),
        ] = None,
        keep: Annotated[
            int, typer.Option(help="In a folder: delete older backups, so that so many stay.", min=0)
        ] = 0,
    ) -> None:
        """Back up database and workspace into one file, while nanobot runs or not.

        It holds conversations and memory, and is readable for you only. The configuration is not part of it.
        """
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        print(upkeep.said_of(upkeep.make_backup(context.obj, to, keep)))

    @cli.command(epilog="Examples: `nanobot restore --check b.tar.gz`, `nanobot restore b.tar.gz`")
    def restore(
        context: typer.Context,
        archive: Annotated[Path, typer.Argument(help="What `nanobot backup` wrote.", metavar="FILE")],
        check: Annotated[bool, typer.Option("--check", help="Only look whether it is whole.")] = False,
        yes: Yes = False,
    ) -> None:
        """Put a backup in the place of database and workspace, once it has proved to be whole.

        What is there now is moved aside and kept. nanobot must be stopped.
        """
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        done = upkeep.restore(context.obj, archive, look_only=check, yes=yes)
        print(upkeep.said_of_restored(done, look_only=check) if done else "Nothing has changed.")
        raise typer.Exit(0 if done else 1)


def _add_person(cli: typer.Typer, run: Run) -> None:
    @cli.command(epilog="Example: `nanobot export --person anna anna.zip`")
    def export(
        context: typer.Context,
        to: Annotated[Path, typer.Argument(help="A new zip file.", metavar="FILE")],
        person: Person,
    ) -> None:
        """Write everything that is kept about a person into a zip file: conversations, memory, files."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        print(f"{to}: {run(upkeep.export(context.obj, person, to))} rows and files")

    @cli.command(epilog="Example: `nanobot erase --person anna`")
    def erase(context: typer.Context, person: Person, yes: Yes = False) -> None:
        """Erase everything that is kept about a person. It can't be undone; backups made before still hold it."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        # Asked outside of the event loop: in a thread of it, Ctrl-C would wait for an answer.
        if not yes and not upkeep.confirmed(upkeep.erase_question(person)):
            print("Nothing has changed.")
            raise typer.Exit(1)
        print(upkeep.said_of_erased(run(upkeep.erase(context.obj, person))))


def _add_rest(cli: typer.Typer) -> None:
    @cli.command(epilog="Examples: `nanobot logs`, `nanobot logs -f`")
    def logs(
        context: typer.Context,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
        lines: Annotated[int, typer.Option("--lines", "-n", help="So many of the last lines.", min=1)] = 100,
    ) -> None:
        """Show the log of the service, from systemd's journal."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        raise typer.Exit(upkeep.logs(context.obj, follow=follow, lines=lines))

    @cli.command("upgrade-check", epilog="Example: `nanobot upgrade-check && sudo systemctl restart nanobot`")
    def upgrade_check(context: typer.Context) -> None:
        """After installing another version: look whether it can use configuration and database, on a copy."""
        from bot.cli import upkeep  # noqa: PLC0415 -- as above

        sys.stdout.write("\n".join(upkeep.upgrade_check(context.obj)) + "\n")
