"""`nanobot service` and what follows it; `bot.cli.commands` adds it to `nanobot`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

Shown = Callable[[object], str]
Runs = Callable[[Coroutine[Any, Any, Any]], Any]
User = Annotated[bool, typer.Option("--user", help="A service of your own, without root.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def add(cli: typer.Typer, run: Runs, json_of: Shown) -> None:
    """`run` runs a command's coroutine, `json_of` prints what programs read."""
    service = typer.Typer(
        help="nanobot as a service of systemd, which starts it with the machine and again when it fails.",
        no_args_is_help=True,
        epilog="Examples: `nanobot service install --dry-run`, `sudo nanobot service install`",
    )
    cli.add_typer(service, name="service")

    @service.command(
        epilog="Examples: `sudo nanobot service install`, `nanobot service install --user`, "
        "`nanobot service install --dry-run`"
    )
    def install(
        context: typer.Context, user: User = False, dry_run: DryRun = False, yes: Yes = False
    ) -> None:
        """Write the units of nanobot and of its nightly backup, and start both. Run it again after an upgrade.

        It shows every file and command first, and asks. What `systemctl edit` added stays.
        """
        from bot.cli import service as serving  # noqa: PLC0415 -- not for --help

        wish = serving.Wish(user, dry_run, yes)
        if run(serving.carry_out(serving.plan_install(context.obj, wish), context.obj, wish)):
            print("nanobot runs. `nanobot status` says how it is, `nanobot chat` talks to it.")

    @service.command(
        epilog="Examples: `sudo nanobot service uninstall`, `nanobot service uninstall --user --dry-run`"
    )
    def uninstall(
        context: typer.Context, user: User = False, dry_run: DryRun = False, yes: Yes = False
    ) -> None:
        """Stop nanobot and remove the units. Conversations, configuration and backups stay."""
        from bot.cli import service as serving  # noqa: PLC0415 -- as above

        wish = serving.Wish(user, dry_run, yes)
        steps = serving.plan_uninstall(context.obj, wish)
        if not steps:
            print("There is no such service here.")
        elif run(serving.carry_out(steps, context.obj, wish)):
            print("The service is gone; its data and configuration stay.")

    @service.command(epilog="Examples: `nanobot service status`, `nanobot service status --user --json`")
    def status(
        context: typer.Context,
        user: User = False,
        json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    ) -> None:
        """Say what systemd says of it, and whether the unit is what this version would write.

        Without --user, your own service is meant where the machine has none. The exit code is 0 if it runs and the
        unit fits.
        """
        from bot.cli import service as serving  # noqa: PLC0415 -- as above

        user = serving.own_is_meant(context.obj, user=user)
        report, well = serving.gather(context.obj, user=user)
        print(json_of(report) if json else serving.render(report, user=user))
        raise typer.Exit(0 if well else 1)
