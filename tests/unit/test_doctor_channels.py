"""The doctor's look at channels and sandbox: what servers say, what the running bot says, and that nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.config import Config, Loaded
from bot.ops.doctor import Finding, Patient, examine
from bot.ops.doctor_channels import channel_checks
from providers.registry import Catalog
from tests.contract.drivers.channel_email import settings
from tests.fakes.imap import ImapFake
from tests.fakes.submission import Submission
from tests.fakes.telegram import TelegramFake


async def found(
    folder: Path, channels: dict[str, Any], status: dict[str, Any] | None = None
) -> list[Finding]:
    config = Config(channels=channels)
    patient = Patient(Loaded(config, None), folder, {}, Catalog(), status=status)
    return await examine(patient, channel_checks(config))


async def test_mail_servers_that_take_the_password(tmp_path: Path) -> None:
    async with ImapFake() as imap, Submission() as smtp:
        findings = await found(tmp_path, {"email": settings(imap, smtp)})
        assert [(one.level, one.subject) for one in findings][:3] == [("ok", "email")] * 3
        assert "mail.home.example" in findings[2].text
        assert imap.seen() == 0
        assert smtp.taken == []


async def test_mail_servers_that_refuse_it(tmp_path: Path) -> None:
    async with ImapFake() as imap, Submission(password="changed") as smtp:
        imap.password = "changed"
        findings = await found(tmp_path, {"email": settings(imap, smtp)})
        assert [one.level for one in findings][:2] == ["error", "error"]
        assert all("app password" in one.text for one in findings[:2])


async def test_a_mail_server_that_is_not_there(tmp_path: Path) -> None:
    async with ImapFake() as imap, Submission() as smtp:
        given = settings(imap, smtp)
    findings = await found(tmp_path, {"email": given})
    assert [one.level for one in findings][:2] == ["error", "error"]
    assert "can't be reached" in findings[0].text


async def test_telegrams_token_and_what_the_running_bot_says(tmp_path: Path) -> None:
    from channels.adapters.telegram.settings import TelegramSettings  # noqa: PLC0415 -- beside its one use

    async with TelegramFake() as tg:
        given = TelegramSettings.model_validate({"token": tg.token, "base_url": tg.base_url})
        standing = {"up": False, "detail": "another program receives with this bot's token", "notes": ()}
        findings = await found(tmp_path, {"telegram": given}, {"channels": {"telegram": standing}})
        assert findings[0].level == "ok"
        assert findings[-2].level == "error"
        assert "another program receives" in findings[-2].text


async def test_the_sandbox_is_looked_at_in_any_case(tmp_path: Path) -> None:
    (finding,) = await found(tmp_path, {})
    assert finding.subject == "sandbox"
    assert finding.level in {"ok", "warning"}
    assert bool(finding.fix) == (finding.level == "warning")
