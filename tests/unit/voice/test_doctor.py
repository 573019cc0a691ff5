"""What the doctor says of voice notes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bot.config import Config, Loaded
from bot.config.schema import Roles, VoiceSettings
from bot.ops.doctor import Finding, Patient, examine
from bot.ops.doctor_voice import CHECK
from providers.registry import Catalog
from providers.settings import ProviderSettings


async def found(tmp_path: Path, **settings: Any) -> list[Finding]:
    roles = Roles(transcription="groq") if settings else Roles()
    config = Config(voice=VoiceSettings(**settings), roles=roles)
    providers = {"groq": ProviderSettings.model_validate({"api_key": "x"})} if settings else {}
    catalog = Catalog.of(providers, roles=config.roles.given)
    return await examine(Patient(Loaded(config, None), tmp_path, dict(os.environ), catalog), [CHECK])


async def test_who_hears_is_told(tmp_path: Path) -> None:
    (finding,) = await found(tmp_path, local="off")

    assert (finding.level, finding.subject) == ("ok", "voice")
    assert finding.text == "voice notes are written down by groq/whisper-large-v3-turbo"


async def test_only_what_was_asked_for_and_lacks_is_a_warning(tmp_path: Path) -> None:
    findings = await found(tmp_path, local="off", reply=True, speech="piper:nobody")

    (warning,) = [finding for finding in findings if finding.level == "warning"]
    assert "piper" in warning.text
    assert warning.fix == "docs/VOICE.md"
    assert all(finding.level == "ok" for finding in await found(tmp_path))


async def test_switched_off_is_all_right(tmp_path: Path) -> None:
    (finding,) = await found(tmp_path, transcribe=False)

    assert (finding.level, "[voice] transcribe = false" in finding.text) == ("ok", True)
