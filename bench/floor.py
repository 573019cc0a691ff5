"""The floor: python-telegram-bot and httpx with nothing in between. It keeps nothing, and survives nothing.

    python -m bench.floor TOKEN BASE_URL BASE_FILE_URL MODEL_URL

Nobody can answer from Python on Telegram for less, so what a bot costs beyond this is what its promises cost.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

PERSONA = "You are a personal assistant. You are warm, plain and brief."


class Floor:
    """Asks the model for each message, and replies with what it says."""

    def __init__(self, model_url: str) -> None:
        self._http = httpx.AsyncClient(timeout=60.0)
        self._address = f"{model_url}/chat/completions"

    async def answer(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        message = update.effective_message
        assert message is not None
        talk = [{"role": "system", "content": PERSONA}, {"role": "user", "content": message.text}]
        response = await self._http.post(self._address, json={"model": "fake-1", "messages": talk})
        response.raise_for_status()
        await message.reply_text(response.json()["choices"][0]["message"]["content"])

    async def aclose(self, _: Application[Any, Any, Any, Any, Any, Any]) -> None:
        await self._http.aclose()


def main(token: str, base_url: str, base_file_url: str, model_url: str) -> None:
    floor = Floor(model_url)
    application = (
        Application.builder()
        .token(token)
        .base_url(base_url)
        .base_file_url(base_file_url)
        .concurrent_updates(True)
        .post_shutdown(floor.aclose)
        .build()
    )
    application.add_handler(MessageHandler(filters.TEXT, floor.answer))
    application.run_polling(allowed_updates=["message"])


if __name__ == "__main__":
    main(*sys.argv[1:])
