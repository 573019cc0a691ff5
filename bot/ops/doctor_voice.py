"""What `nanobot doctor` says of voice notes: who hears and who speaks. Nothing is started for it."""

from __future__ import annotations

from bot.ops.doctor import Check, Finding, Findings, Patient
from bot.voice import Voice
from providers.client import ModelClient

_FIX = "docs/VOICE.md"


async def voice(patient: Patient) -> Findings:
    """Who hears and speaks; what lacks is a warning only where the owner asked for it."""
    settings = patient.loaded.config.voice
    found = Voice(lambda: settings, ModelClient(patient.catalog), patient.data).available()
    if found.hears:
        yield Finding("ok", "voice", f"voice notes are written down by {', then '.join(found.hears)}")
    elif not settings.transcribe:
        yield Finding("ok", "voice", "voice notes are not written down ([voice] transcribe = false)")
    if found.speaks and settings.reply:
        yield Finding("ok", "voice", f"who asks by voice is answered by {found.speaks}")
    wanted = settings.model_fields_set or patient.loaded.config.roles.transcription
    for line in found.missing:
        yield Finding("warning", "voice", line, _FIX) if wanted else Finding("ok", "voice", line)


CHECK = Check("voice", voice)
