"""Every command with its options and its help.

What a command does lies in a module of its own, which is imported when it runs: `--help` must not wait for the rest.
"""

from __future__ import annotations

import asyncio
import gc
import json as jsons
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from bot.cli import service_commands, upkeep_commands
from bot.cli.options import Options

T = TypeVar("T")

cli = typer.Typer(
    name="nanobot",
    help="A personal assistant that lives on your own machine. `nanobot` alone starts a chat.",
    epilog="Examples: `nanobot`, `nanobot chat -m 'What time is it?'`, `nanobot --config my.toml run`",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
pair = typer.Typer(
    help="Decide who else may write to nanobot.",
    no_args_is_help=True,
    epilog="Example: `nanobot pair approve 7KQ2M4XD --as anna`",
)
local = typer.Typer(
    help="Models that nanobot runs on this machine, and the small built-in one for when there is no other.",
    no_args_is_help=True,
    epilog="Examples: `nanobot local get`, `nanobot local install`",
)
cli.add_typer(pair, name="pair")
people = typer.Typer(
    help="Who may write to nanobot, and how each channel knows them.",
    invoke_without_command=True,
    epilog="Examples: `nanobot people`, `nanobot people --json`, `nanobot people unlink telegram 123456789`",
)
cli.add_typer(people, name="people")
cli.add_typer(local, name="local")
jobs = typer.Typer(
    help="What nanobot does by the clock.",
    no_args_is_help=True,
    epilog="Examples: `nanobot jobs list`, `nanobot jobs run probe`",
)
cli.add_typer(jobs, name="jobs")
skills = typer.Typer(
    help="Instructions for certain work that lie in the workspace, and which of them count.",
    no_args_is_help=True,
    epilog="Examples: `nanobot skills list`, `nanobot skills enable invoices`",
)
cli.add_typer(skills, name="skills")

memory = typer.Typer(
    help="What nanobot knows about you, and what it knew before.",
    no_args_is_help=True,
    epilog="Examples: `nanobot memory show`, `nanobot memory restore 12`",
)
cli.add_typer(memory, name="memory")
audit = typer.Typer(
    help="What tools did, in a log that shows when it was changed.",
    no_args_is_help=True,
    epilog="Examples: `nanobot audit verify`, `nanobot audit show --last 50`",
)
cli.add_typer(audit, name="audit")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
JobName = Annotated[
    str, typer.Argument(help="A job's name, as `nanobot jobs list` shows it.", metavar="NAME")
]
ReminderNumber = Annotated[
    int, typer.Argument(help="Its number, as `nanobot jobs reminders` shows it.", metavar="NUMBER")
]
SkillName = Annotated[str, typer.Argument(help="A skill's name, which is its folder's.", metavar="NAME")]
Whose = Annotated[
    str,
    typer.Option("--person", help="Whose; the owner's unless you say.", metavar="NAME", show_default=False),
]
Household = Annotated[bool, typer.Option("--household", help="What everybody here may know.")]
Code = Annotated[str, typer.Argument(help="The code that the stranger was shown.")]


@cli.callback()
def start(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file, instead of the usual places.", metavar="FILE")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the database and the workspace.", metavar="FOLDER")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log more, and show traces of failures.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    context.obj = Options(config, data, verbose, dict(os.environ))
    if version:
        from bot.version import program_version  # noqa: PLC0415 -- reads the installed metadata

        print(f"nanobot {program_version()}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        chat(context)
        return
    print(context.get_help())
    raise typer.Exit(2)


@cli.command(epilog="Example: `nanobot -v run`")
def run(context: typer.Context) -> None:
    """Run the daemon: every configured channel, until SIGTERM or Ctrl-C (twice: at once)."""
    # What a start makes stays: to search it for garbage while it grows would take a tenth of the time until ready.
    gc.disable()
    from bot.cli import daemon  # noqa: PLC0415 -- the whole program

    asyncio.run(daemon.run(context.obj))


@cli.command(
    epilog="Examples: `nanobot chat`, `nanobot chat -m 'What time is it?'`, `git diff | nanobot chat -m -`"
)
def chat(
    context: typer.Context,
    message: Annotated[
        str | None,
        typer.Option(
            "--message", "-m", help="Ask this one thing, print the answer, and end. `-` reads it from stdin."
        ),
    ] = None,
) -> None:
    """Talk here, to the daemon if one runs. The exit code of a single question is 0 if it was answered."""
    from bot.cli import talk  # noqa: PLC0415 -- httpx and more

    if message is None and not sys.stdin.isatty():
        message = "-"
    if message is not None:
        raise typer.Exit(_run(talk.question(context.obj, message)))
    if not sys.stdout.isatty():
        raise typer.BadParameter("a conversation needs a terminal; ask one thing with -m TEXT")
    _run(talk.conversation(context.obj))


@cli.command(
    epilog="Examples: `nanobot init`, `nanobot init --provider groq --key-env GROQ_API_KEY --limit-month 10 --yes`"
)
def init(  # noqa: PLR0913 -- one parameter for each flag
    context: typer.Context,
    *,
    provider: Annotated[str, typer.Option(help="Add this provider of models.", metavar="NAME")] = "",
    key_env: Annotated[
        str, typer.Option(help="Its key is in this environment variable, where it stays.", metavar="VARIABLE")
    ] = "",
    key_file: Annotated[
        Path | None, typer.Option(help="Its key is in this file, where it stays.", metavar="FILE")
    ] = None,
    api_base: Annotated[str, typer.Option(help="Its address, unless it is a known one.", metavar="URL")] = "",
    anonymous: Annotated[
        bool,
        typer.Option(
            "--anonymous", help="It asks for no key and may keep what it is sent; that is all right."
        ),
    ] = False,
    gguf: Annotated[
        Path | None, typer.Option(help="Run this model file with llama.cpp.", metavar="FILE")
    ] = None,
    telegram_token_env: Annotated[
        str, typer.Option(help="The Telegram bot's token is in this variable.", metavar="VARIABLE")
    ] = "",
    limit_day: Annotated[
        float | None, typer.Option(help="Spend at most this a day.", metavar="USD", min=0)
    ] = None,
    limit_month: Annotated[
        float | None, typer.Option(help="Spend at most this a month.", metavar="USD", min=0)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it without a question.")] = False,
    json: Json = False,
) -> None:
    """Set nanobot up: who answers, where you write, what it may cost. Without flags it asks.

    Keys and tokens are tried in a way that costs nothing. What stands in the file stays, comments included, however
    often this is run.
    The exit code is 0, or 1 if nothing was written (a key is refused or missing, or --yes is), 2 if something is wrong
    with the flags or the file.
    """
    from bot.cli import init as setting_up  # noqa: PLC0415 -- httpx and more

    flags = setting_up.Flags(
        provider,
        key_env,
        key_file,
        api_base,
        anonymous,
        gguf,
        telegram_token_env,
        limit_day,
        limit_month,
        yes,
    )
    if not flags.given:
        raise typer.Exit(_run(setting_up.by_questions(context.obj)))
    report, code = _run(setting_up.by_flags(context.obj, flags))
    print(_json(report.as_json()) if json else setting_up.render(report))
    raise typer.Exit(code)


@cli.command("import", epilog="Examples: `nanobot import --dry-run`, `nanobot import old/config.json`")
def import_(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="The old configuration.", metavar="FILE", show_default="~/.nanobot/config.json"),
    ] = Path("~/.nanobot/config.json"),
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a configuration that is there; it is kept beside.")
    ] = False,
    json: Json = False,
) -> None:
    """Take over what an older nanobot left: its configuration, people, files, jobs and conversations.

    The old files are only read. It says of every setting where it went, or why not. Jobs wait for
    `nanobot jobs confirm`.
    The exit code is 0, or 2 if the file can't be used.
    """
    from bot.cli import import_report, importing  # noqa: PLC0415 -- the database and more

    report = _run(importing.take_over(context.obj, importing.Wish(file, dry_run, force)))
    print(_json(report.as_json()) if json else import_report.render(report))


@cli.command(epilog="Example: `nanobot status --json | jq .outbox`")
def status(
    context: typer.Context,
    json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every two seconds.")] = False,
) -> None:
    """How nanobot is. The exit code is 0 if it runs and all is well."""
    from bot.cli import status as shown  # noqa: PLC0415 -- httpx

    if watch and not json:
        _run(shown.watch(context.obj, sys.stdout))
    report, well = _run(shown.gather(context.obj))
    print(_json(report) if json else shown.render(report, time.time()))
    raise typer.Exit(0 if well else 1)


@cli.command(epilog="Examples: `nanobot doctor`, `nanobot doctor --calls`")
def doctor(
    context: typer.Context,
    calls: Annotated[
        bool, typer.Option("--calls", help="Call models that cost money, too (a fraction of a cent each).")
    ] = False,
    json: Json = False,
) -> None:
    """Look whether everything works, and say what to do. The exit code is 0, or 1 for warnings, 2 for errors.

    Each provider: its name, connection and key, its models, and one short call with a tool at free and local ones.
    """
    from bot.cli import doctor as doctoring  # noqa: PLC0415 -- httpx and more

    found = _run(doctoring.diagnose(context.obj, calls=calls))
    print(_json(found.as_json()) if json else doctoring.render(found.findings, sys.stdout))
    raise typer.Exit(doctoring.exit_code(found.findings))


@cli.command(epilog="Example: `nanobot reload`")
def reload(context: typer.Context, json: Json = False) -> None:
    """Have the running daemon take up the changed configuration. It says what of it waits for a restart.

    The exit code is 0, or 2 if the configuration can't be used; then the one before goes on.
    """
    from bot.cli import reload as reloading  # noqa: PLC0415 -- httpx

    report = _run(reloading.ask(context.obj))
    if json:
        print(_json(report))
    elif not report["ok"]:
        sys.stderr.write(f"{reloading.refused(report)}\n")
    else:
        print("\n".join(report["lines"]))
    raise typer.Exit(0 if report["ok"] else 2)


@cli.command(epilog="Example: `nanobot --config my.toml check`")
def check(context: typer.Context) -> None:
    """Check the configuration, and the profiles of workers in the workspace, without starting anything.

    The exit code is 0, or 2 if something of it can't be used.
    """
    from bot.cli.check import check_lines, checked  # noqa: PLC0415 -- pydantic

    options: Options = context.obj
    loaded = checked(options.load(), options.env, options.data_folder)
    print("\n".join(check_lines(loaded, options.data_folder, options.env)))


@cli.command(epilog="Examples: `nanobot resolve reasoning`, `nanobot resolve openrouter/free --json`")
def resolve(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A role, an alias, PROVIDER/MODEL, a provider or a model.")],
    json: Json = False,
) -> None:
    """Which models a name stands for, in the order in which they are tried, and why."""
    from bot.cli import resolve as resolving  # noqa: PLC0415 -- httpx

    found = _run(resolving.resolve(context.obj, name))
    print(_json(found) if json else resolving.render(found))


@cli.command(epilog="Examples: `nanobot models`, `nanobot models --free`, `nanobot models openrouter --json`")
def models(
    context: typer.Context,
    provider: Annotated[str, typer.Argument(help="Only this provider's, all of them.")] = "",
    free: Annotated[bool, typer.Option("--free", help="Only those that cost nothing.")] = False,
    json: Json = False,
) -> None:
    """Which models can be asked now: their windows, abilities and prices, what rests, and which roles use them."""
    from bot.cli import models as listing  # noqa: PLC0415 -- httpx

    found = _run(listing.gather(context.obj, provider, free=free))
    print(_json(found) if json else listing.render(found, time.time()))


@cli.command(epilog="Examples: `nanobot usage`, `nanobot usage --by day`, `nanobot usage --json | jq .caps`")
def usage(
    context: typer.Context,
    by: Annotated[
        Literal["role", "model", "day"] | None,
        typer.Option("--by", help="Only this table: role, model or day."),
    ] = None,
    json: Json = False,
) -> None:
    """What models were asked for today and this month, what that cost, and what is left of your limits."""
    from bot.cli import usage as spending  # noqa: PLC0415 -- httpx

    found = _run(spending.gather(context.obj))
    print(_json(found) if json else spending.render(found, by or ""))


@cli.command(
    epilog="Examples: `nanobot login openrouter`, `nanobot login whatsapp --code '+49 151 12345678'`"
)
def login(
    context: typer.Context,
    where: Annotated[str, typer.Argument(help="openrouter, or a channel: whatsapp links a phone.")],
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Use this machine's browser, if it has one.")
    ] = True,
    code: Annotated[
        str,
        typer.Option(
            help="whatsapp: no QR code, but one to type into the phone of this number.", metavar="NUMBER"
        ),
    ] = "",
) -> None:
    """Sign in for free models, or link a phone: no key to copy, no money. Without a screen you paste a code."""
    from bot.cli import login as signing_in  # noqa: PLC0415 -- httpx and more
    from bot.cli import login_channel as linking  # noqa: PLC0415 -- pydantic

    if where == signing_in.PROVIDER:
        _run(signing_in.login_openrouter(context.obj, browser=browser))
    elif where in linking.channels():
        _run(linking.login_channel(context.obj, where, code))
    else:
        raise typer.BadParameter(
            f"one can sign in at {signing_in.PROVIDER} or link whatsapp; `nanobot init` takes keys of other providers"
        )


@pair.command("list", epilog="Example: `nanobot pair list`")
def pair_list(context: typer.Context) -> None:
    """Show the codes that strangers were given."""
    from bot.cli import pair as pairing  # noqa: PLC0415 -- httpx
    from bot.cli.reach import reaching  # noqa: PLC0415 -- as above

    async def pending() -> list[dict[str, Any]]:
        async with reaching(context.obj) as client:
            return await client.pairings()

    print(pairing.render(_run(pending()), time.time()))


@pair.command("approve", epilog="Example: `nanobot pair approve 7KQ2M4XD --as anna`")
def pair_approve(
    context: typer.Context,
    code: Code,
    name: Annotated[
        str, typer.Option("--as", help="What to call them; who is known already uses /link instead.")
    ] = "",
) -> None:
    """Let the holder of a code in. The first one ever is the owner, later ones are users."""
    from bot.cli import pair as pairing  # noqa: PLC0415 -- httpx
    from bot.cli.reach import reaching  # noqa: PLC0415 -- as above

    async def approve() -> dict[str, Any]:
        async with reaching(context.obj) as client:
            return await client.approve(code, name)

    print(pairing.approved(_run(approve())))


@pair.command("refuse", epilog="Example: `nanobot pair refuse 7KQ2M4XD`")
def pair_refuse(context: typer.Context, code: Code) -> None:
    """Throw a code away."""
    from bot.cli.reach import reaching  # noqa: PLC0415 -- httpx

    async def refuse() -> None:
        async with reaching(context.obj) as client:
            await client.refuse(code)

    _run(refuse())
    print(f"{code} no longer lets anybody in.")


@people.callback()
def people_list(context: typer.Context, json: Json = False) -> None:
    """Show everybody: role, channels and where those are known from, language, time zone, when they last wrote."""
    if context.invoked_subcommand is not None:
        return
    from bot.cli import people as directory  # noqa: PLC0415 -- httpx

    found = _run(directory.gather(context.obj))
    print(_json(found) if json else directory.render(found))


@people.command("unlink", epilog="Example: `nanobot people unlink telegram 123456789`")
def people_unlink(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel, such as telegram.")],
    sender: Annotated[str, typer.Argument(help="The id there, as `nanobot people` shows it.", metavar="ID")],
) -> None:
    """Take away what a code let in: whoever writes from there is a stranger again. Nothing else is forgotten."""
    from bot.cli import people as directory  # noqa: PLC0415 -- httpx

    print(directory.unlinked(_run(directory.unlink(context.obj, channel, sender)), channel, sender))


@jobs.command("list", epilog="Example: `nanobot jobs list --json | jq '.[].next'`")
def jobs_list(context: typer.Context, json: Json = False) -> None:
    """Show every job: how it is, when it ran, what it did, and when it is next."""
    from bot.cli import jobs as scheduled  # noqa: PLC0415 -- httpx

    found = _run(scheduled.gather(context.obj))
    print(_json(found) if json else scheduled.render(found, time.time()))


@jobs.command("reminders", epilog="Example: `nanobot jobs reminders --json | jq '.[].text'`")
def jobs_reminders(context: typer.Context, json: Json = False) -> None:
    """Show everybody's reminders: when each is due next, by this machine's clock, and how it is repeated."""
    from bot.cli import jobs as scheduled  # noqa: PLC0415 -- httpx

    found = _run(scheduled.reminders(context.obj))
    print(_json(found) if json else scheduled.listed(found, time.time()))


@jobs.command("confirm", epilog="Example: `nanobot jobs confirm 3`")
def jobs_confirm(context: typer.Context, number: ReminderNumber, json: Json = False) -> None:
    """Let a job that came with `nanobot import` run at its times. Read what it says before."""
    _decide(context, number, "confirm", json=json)


@jobs.command("discard", epilog="Example: `nanobot jobs discard 3`")
def jobs_discard(context: typer.Context, number: ReminderNumber, json: Json = False) -> None:
    """Drop a job that came with `nanobot import` and waits."""
    _decide(context, number, "discard", json=json)


@jobs.command("run", epilog="Example: `nanobot jobs run catalogue`")
def jobs_run(context: typer.Context, name: JobName, json: Json = False) -> None:
    """Run a job now, whatever its time. The exit code is 0, or 1 if it failed."""
    _job(context, name, "run", json=json)


@jobs.command("pause", epilog="Example: `nanobot jobs pause catalogue`")
def jobs_pause(context: typer.Context, name: JobName, json: Json = False) -> None:
    """Let a job rest until `nanobot jobs resume`; it can still be run by hand."""
    _job(context, name, "pause", json=json)


@jobs.command("resume", epilog="Example: `nanobot jobs resume catalogue`")
def jobs_resume(context: typer.Context, name: JobName, json: Json = False) -> None:
    """End a job's rest. What it missed is not made up for."""
    _job(context, name, "resume", json=json)


@skills.command("list", epilog="Example: `nanobot skills list --json | jq '.[].state'`")
def skills_list(context: typer.Context, json: Json = False) -> None:
    """Show every skill: what it is for, whether it counts, and what it lacks."""
    from bot.cli import skills as shelf  # noqa: PLC0415 -- httpx

    found = _run(shelf.gather(context.obj))
    print(_json(found) if json else shelf.render(found))


@skills.command("enable", epilog="Example: `nanobot skills enable invoices`")
def skills_enable(context: typer.Context, name: SkillName, json: Json = False) -> None:
    """Let the models follow a skill as it is now. Read its files before: they will be obeyed."""
    from bot.cli import skills as shelf  # noqa: PLC0415 -- httpx

    found = _run(shelf.act(context.obj, name, "enable"))
    print(_json(found) if json else shelf.enabled(found))


@skills.command("disable", epilog="Example: `nanobot skills disable invoices`")
def skills_disable(context: typer.Context, name: SkillName) -> None:
    """Let a skill count no longer; its files stay."""
    from bot.cli import skills as shelf  # noqa: PLC0415 -- httpx

    _run(shelf.act(context.obj, name, "disable"))
    print(f"{name} no longer counts.")


def _decide(context: typer.Context, number: int, action: str, *, json: bool) -> None:
    from bot.cli import jobs as scheduled  # noqa: PLC0415 -- httpx

    one = _run(scheduled.decide(context.obj, number, action))
    print(_json(one) if json else scheduled.decided(one, time.time()))


def _job(context: typer.Context, name: str, action: str, *, json: bool) -> None:
    from bot.cli import jobs as scheduled  # noqa: PLC0415 -- httpx

    one = _run(scheduled.act(context.obj, name, action))
    print(_json(one) if json else scheduled.said(one, action, time.time()))
    raise typer.Exit(1 if action == "run" and one["failed"] else 0)


@memory.command("show", epilog="Example: `nanobot memory show --person anna`")
def memory_show(
    context: typer.Context, person: Whose = "", *, household: Household = False, json: Json = False
) -> None:
    """Show the facts about a person with their sources, and the file to edit them in."""
    from bot.cli import memory as notes  # noqa: PLC0415 -- httpx

    found = _run(notes.known(context.obj, notes.whose(person, household=household)))
    print(_json(found) if json else notes.render(found))


@memory.command("history", epilog="Example: `nanobot memory history`")
def memory_history(
    context: typer.Context, person: Whose = "", *, household: Household = False, json: Json = False
) -> None:
    """List every version of the facts, edits by hand included, and what made it."""
    from bot.cli import memory as notes  # noqa: PLC0415 -- as above

    found = _run(notes.history(context.obj, notes.whose(person, household=household)))
    print(_json(found) if json else notes.render_history(found))


@memory.command("restore", epilog="Example: `nanobot memory restore 12`")
def memory_restore(
    context: typer.Context,
    version: Annotated[int, typer.Argument(help="Its number, from `nanobot memory history`.", metavar="N")],
    person: Whose = "",
    *,
    household: Household = False,
) -> None:
    """Bring a version back. The present one is kept, too."""
    from bot.cli import memory as notes  # noqa: PLC0415 -- as above

    print(notes.render(_run(notes.restore(context.obj, notes.whose(person, household=household), version))))


@memory.command("forget", epilog="Example: `nanobot memory forget old address`")
def memory_forget(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(help="Words that the facts hold, all of them.")],
    person: Whose = "",
    *,
    household: Household = False,
) -> None:
    """Drop the facts that hold all of these words. The exit code is 0, or 1 if there was none."""
    from bot.cli import memory as notes  # noqa: PLC0415 -- as above

    done = _run(notes.forget(context.obj, notes.whose(person, household=household), " ".join(words)))
    print(notes.forgotten(done))
    raise typer.Exit(0 if done["forgotten"] else 1)


@audit.command("verify", epilog="Example: `nanobot audit verify && echo whole`")
def audit_verify(context: typer.Context, json: Json = False) -> None:
    """Look whether the log is whole, while the daemon runs or not. The exit code is 0, or 1 if it was changed."""
    from bot.cli import audit as auditing  # noqa: PLC0415 -- httpx

    found = _run(auditing.examine(context.obj))
    print(_json(found) if json else auditing.verdict(found))
    raise typer.Exit(1 if found["faults"] else 0)


@audit.command(
    "show", epilog="Examples: `nanobot audit show --session telegram:123`, `nanobot audit show --json`"
)
def audit_show(
    context: typer.Context,
    session: Annotated[
        str, typer.Option(help="Only this conversation, such as telegram:123.", metavar="S")
    ] = "",
    last: Annotated[int, typer.Option(help="How many entries.", metavar="N", min=1)] = 20,
    json: Json = False,
) -> None:
    """Show the last calls of tools: when, with what, on whose words, by which model, and how they ended."""
    from bot.cli import audit as auditing  # noqa: PLC0415 -- as above

    found = _run(auditing.entries(context.obj, session, last))
    print(_json(found) if json else auditing.render(found))


@local.command("install", epilog="Example: `nanobot local install`")
def local_install() -> None:
    """Fetch the built-in model (150 MB) and what runs it."""
    from bot import local as builtin  # noqa: PLC0415 -- imports providers

    _run(builtin.install(print))


@local.command("status", epilog="Example: `nanobot local status`")
def local_status() -> None:
    """Say whether the built-in model is installed. The exit code is 0 if it is."""
    from bot import local as builtin  # noqa: PLC0415 -- as above

    found = builtin.status()
    print(found.text)
    raise typer.Exit(0 if found.installed else 1)


@local.command(
    "get",
    epilog="Examples: `nanobot local get --write`, `nanobot local get qwen-9b`, `nanobot local get ~/my.gguf`",
)
def local_get(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(help="A name from `nanobot local list`, the URL of a .gguf file, or such a file."),
    ] = "",
    source: Annotated[str, typer.Option("--from", help="Fetch it from here instead.", metavar="URL")] = "",
    sha256: Annotated[str, typer.Option(help="The checksum that it must have.", metavar="HEX")] = "",
    write: Annotated[bool, typer.Option("--write", help="Put it into the configuration.")] = False,
) -> None:
    """Fetch a model (gigabytes) for this machine, by default the recommended one that fits its memory.

    A fetch that was cut off goes on where it stopped. What came is checked against its checksum.
    """
    from bot.cli import local_files  # noqa: PLC0415 -- httpx and more

    _run(local_files.get(context.obj, local_files.Wish(model, source, sha256, write)))


@local.command("list", epilog="Example: `nanobot local list`")
def local_list(context: typer.Context) -> None:
    """Show the models that are on this machine and those that can be fetched."""
    from bot.cli import local_files  # noqa: PLC0415 -- as above

    print("\n".join(local_files.listing(context.obj)))


@local.command("remove", epilog="Example: `nanobot local remove nanbeige`")
def local_remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name or a file from `nanobot local list`.")],
    force: Annotated[bool, typer.Option("--force", help="Though the configuration names it.")] = False,
) -> None:
    """Delete a model's file."""
    from bot.cli import local_files  # noqa: PLC0415 -- as above

    print(local_files.remove(context.obj, name, force=force))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's own part. Ctrl-C and SIGTERM cancel it, so that it may tidy up (a terminal's mode, an answer)."""

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine always runs in one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None


def _json(value: object) -> str:
    return jsons.dumps(value, indent=2, ensure_ascii=False)


upkeep_commands.add(cli, _run, _json)
service_commands.add(cli, _run, _json)
