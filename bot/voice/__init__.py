"""Speech: voice notes written down, answers spoken. `Voice` is what the rest of the bot asks."""

from bot.voice.errors import VoiceError
from bot.voice.voice import Available, Heard, Voice

__all__ = ["Available", "Heard", "Voice", "VoiceError"]
