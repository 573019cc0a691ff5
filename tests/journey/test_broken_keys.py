"""A key that is refused needs its owner: they read it once, wherever they are, and not twice in one message."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.llm import LLMFake, Reply
from tests.fakes.telegram import TelegramFake
from tests.journey.conversation import always, cut_off, provider, running, talking

REFUSED = Reply.error(401, {"error": {"message": "Invalid API key"}})
ANN, BOB = 42, 43


def chain(first: LLMFake, second: LLMFake) -> str:
    return (
        provider("one", first.base_url, api_key='"sk-wrong-key"')
        + provider("two", second.base_url)
        + '[roles]\nreasoning = "one/fake-1"\n[fallback]\nreasoning = ["one/fake-1", "two/fake-1"]\n'
        + "[jobs.probe]\noff = true\n"
    )


async def test_the_owner_reads_one_line_of_a_refused_key_and_not_again_after_a_restart(
    tmp_path: Path,
) -> None:
    async with always(REFUSED) as first, always(Reply("Hi.")) as second:
        async with cut_off(tmp_path, chain(first, second)) as chat:
            (notice,) = (await chat.ask("hello")).notices
            assert notice.startswith("⚠️ one/fake-1 refused the key")
            assert "🔧" not in notice
            assert (await chat.ask("again")).notices == []
        async with talking(tmp_path, chain(first, second)) as chat:
            assert (await chat.ask("and now")).notices == []


async def test_the_first_of_two_keys_is_told_of_although_the_second_answers(tmp_path: Path) -> None:
    async with LLMFake(REFUSED) as llm:
        llm.default = Reply("Hi.")
        keys = provider("one", llm.base_url, api_keys='["sk-wrong-key", "sk-right-key"]')
        async with talking(tmp_path, keys + "[jobs.probe]\noff = true\n") as chat:
            heard = await chat.ask("hello")
            assert heard.answer == "Hi."
            (notice,) = heard.notices
            assert notice.startswith("🔧 one's key: refused")
            assert notice.endswith("`nanobot doctor` says what to do.")
            assert (await chat.ask("again")).notices == []


async def test_when_somebody_else_reads_the_owner_is_told_in_their_own_chat(tmp_path: Path) -> None:
    async with TelegramFake() as tg, always(Reply("Hi.")) as first, always(Reply("Hi, too.")) as second:
        people = f'[people.ann]\nrole = "owner"\ntelegram = {ANN}\n[people.bob]\ntelegram = {BOB}\n'
        channel = f'[channels.telegram]\ntoken = "{tg.token}"\nbase_url = "{tg.base_url}"\n'
        async with running(tmp_path, chain(first, second) + people + channel):
            tg.user_says(ANN, "hello")
            await tg.wait_for_text(ANN, "Hi.")
            first.default = REFUSED
            tg.user_says(BOB, "hello")
            await tg.wait_for_text(BOB, "Hi, too.")
            told = await tg.wait_for_text(ANN, "🔧 one's key: refused")
            assert "doctor" in told.text
