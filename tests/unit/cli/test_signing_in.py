"""`nanobot login openrouter`: by the browser of this machine, by a pasted code, and everything that ends it early."""

from __future__ import annotations

import asyncio
import stat
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bot.cli.callback import Callback
from bot.cli.login import Person, has_screen, login_openrouter
from bot.cli.options import Options
from bot.errors import BotError
from tests.fakes.control import FakeControl
from tests.fakes.openrouter import OpenRouterFake


@dataclass
class Visitor:
    """Somebody at a terminal. With `browser` their browser opens addresses; `paste` is what they type."""

    browser: bool = False
    paste: str | Callable[[str], str] = ""
    wander: str = ""
    """A path that their browser asks for at the callback before anything else."""
    patience: float = 10.0
    opened: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    pages: list[httpx.Response] = field(default_factory=list)

    def person(self) -> Person:
        return Person(self.open, self.ask, self.told.append, self.patience)

    def open(self, url: str) -> bool:
        self.opened.append(url)
        if self.browser:
            with httpx.Client(follow_redirects=True, trust_env=False) as http:
                if self.wander:
                    back = urlsplit(parse_qs(urlsplit(url).query)["callback_url"][0])
                    self.pages.append(http.get(f"http://{back.netloc}{self.wander}"))
                self.pages.append(http.get(url))
        return self.browser

    async def ask(self, question: str) -> str:
        if callable(self.paste):
            return await asyncio.to_thread(self.paste, self.told[-1].splitlines()[-1])
        if self.paste == "never":
            await asyncio.Event().wait()
        return self.paste


@pytest.fixture
def file(options: Options) -> Path:
    return Path(options.env["HOME"]) / ".config/nanobot/config.toml"


def point(file: Path, fake: OpenRouterFake, text: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{text}[providers.openrouter]\napi_base = "{fake.base_url}"  # a relay\n')


def at_a_screen(options: Options) -> Options:
    return replace(options, env={**options.env, "DISPLAY": ":0"})


def key_in(file: Path) -> str:
    key: str = tomllib.loads(file.read_text())["providers"]["openrouter"]["api_key"]
    return key


def code_on_the_page(url: str) -> str:
    """What a person reads off the page and types."""
    page = httpx.get(url, trust_env=False).text
    return "  " + page.partition("<b>")[2].partition("</b>")[0] + "\n"


async def test_the_browser_brings_the_code_and_the_key_lands_in_the_file(
    options: Options, file: Path
) -> None:
    visitor = Visitor(browser=True, wander="/favicon.ico")
    async with OpenRouterFake() as fake:
        point(file, fake, "# my own\n")
        await login_openrouter(at_a_screen(options), person=visitor.person())
        assert key_in(file) in fake.accounts
    assert [page.status_code for page in visitor.pages] == [404, 200]
    assert "Done" in visitor.pages[1].text
    assert file.read_text().startswith("# my own\n")
    assert "# a relay" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = "\n".join(visitor.told)
    assert f"Signed in at OpenRouter; the key is in {file}." in text
    assert "Free now: nvidia/nemotron-3-super-120b-a12b:free, " in text
    assert "Free requests a day: 50, 0 of them used today" in text
    assert key_in(file) not in text


async def test_without_a_screen_a_code_is_pasted(options: Options, file: Path) -> None:
    visitor = Visitor(browser=True, paste=code_on_the_page)
    async with OpenRouterFake() as fake:
        point(file, fake)
        await login_openrouter(options, person=visitor.person())
        assert key_in(file) in fake.accounts
        page = next(probe for probe in fake.probes if probe.path == "/auth")
        assert page.method == "GET"
    assert visitor.opened == []
    assert "callback_url" not in visitor.told[0]
    assert "key_label=nanobot" in visitor.told[0]


async def test_a_browser_that_does_not_open_leads_to_the_pasted_code(options: Options, file: Path) -> None:
    visitor = Visitor(
        browser=False, paste=lambda url: f"https://example.org/?code={code_on_the_page(url).strip()}"
    )
    async with OpenRouterFake() as fake:
        point(file, fake)
        await login_openrouter(at_a_screen(options), person=visitor.person())
        assert key_in(file) in fake.accounts
    assert len(visitor.opened) == 1


async def test_a_key_that_is_there_is_replaced(options: Options, file: Path) -> None:
    async with OpenRouterFake() as fake:
        point(file, fake)
        file.write_text(file.read_text() + 'api_key = "sk-old"\n\n[models]\nmain = "free"\n')
        await login_openrouter(options, person=Visitor(paste=code_on_the_page).person())
    data = tomllib.loads(file.read_text())
    assert data["providers"]["openrouter"]["api_key"].startswith("sk-or-v1-")
    assert data["models"] == {"main": "free"}


async def test_a_file_that_only_lacks_the_key_is_no_hindrance(options: Options, file: Path) -> None:
    """`free` without OpenRouter is an error of the file, whose remedy this command is."""
    async with OpenRouterFake() as fake:
        point(file, fake, '[roles]\nrlm = "free"\n')
        await login_openrouter(options, person=Visitor(paste=code_on_the_page).person())
    assert key_in(file)


@pytest.mark.parametrize(
    ("visitor", "says"),
    [
        (Visitor(paste=""), "Nobody signed in; nothing has changed"),
        (Visitor(paste="not-a-code"), "gave no key for that code"),
        (Visitor(paste="never", patience=0.05), "No sign-in within"),
    ],
)
async def test_what_ends_early_changes_nothing(
    options: Options, file: Path, visitor: Visitor, says: str
) -> None:
    async with OpenRouterFake() as fake:
        point(file, fake)
        before = file.read_text()
        with pytest.raises(BotError, match=says):
            await login_openrouter(options, person=visitor.person())
        assert file.read_text() == before


async def test_a_server_that_is_not_there_is_said_in_one_line(options: Options, file: Path) -> None:
    async with OpenRouterFake() as fake:
        point(file, fake)
    with pytest.raises(BotError, match="gave no key for that code") as raised:
        await login_openrouter(options, person=Visitor(paste="code").person())
    assert "\n" not in str(raised.value)


async def test_a_running_bot_has_to_be_told(options: Options, file: Path, control: FakeControl) -> None:
    visitor = Visitor(paste=code_on_the_page)
    async with OpenRouterFake() as fake:
        point(file, fake)
        await login_openrouter(options, person=visitor.person())
    assert "nanobot reload" in visitor.told[-1]
    await asyncio.sleep(0.01)  # the stand-in notices that whoever knocked has left


async def test_a_callback_takes_a_code_only_at_its_own_secret_path() -> None:
    async with Callback.listening() as callback, httpx.AsyncClient(trust_env=False) as http:
        root = callback.url.rpartition("/")[0]
        for path in ("/", "/?code=evil", "/callback?code=evil", "/x%00?code=evil"):
            assert (await http.get(root + path)).status_code == 404
        assert (await http.post(f"{callback.url}?code=evil")).status_code == 404
        assert (await http.get(f"{callback.url}?code=good&x=1")).status_code == 200
        assert (await http.get(f"{callback.url}?code=late")).status_code == 200
        assert await callback.code() == "good"
    async with Callback.listening() as other:
        assert other.url.rpartition("/")[2] != callback.url.rpartition("/")[2]


async def test_a_callback_survives_nonsense_and_hears_a_refusal() -> None:
    async with Callback.listening() as callback, httpx.AsyncClient(trust_env=False) as http:
        port = urlsplit(callback.url).port
        for junk in (b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\x00\r\n\r\n", b"x" * 40_000, b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with suppress(OSError):  # it may hang up on us before it has heard it all
                writer.write(junk)
                writer.write_eof()
                await reader.read()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        page = await http.get(f"{callback.url}?error=access_denied")
        assert "Not signed in" in page.text
        with pytest.raises(BotError, match="access_denied; nothing has changed"):
            await callback.code()


@pytest.mark.parametrize(
    ("env", "platform", "screen"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "linux", False),
        ({}, "darwin", True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"}, "linux", False),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", False),
        ({"BROWSER": "lynx"}, "linux", True),
    ],
)
def test_whether_a_browser_would_be_seen(env: dict[str, str], platform: str, screen: bool) -> None:
    assert has_screen(env, platform) is screen


async def test_a_silent_connection_does_not_hold_up_the_end() -> None:
    async with asyncio.timeout(30.0):
        async with Callback.listening() as callback:
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(callback.url).port)
            await asyncio.sleep(0.01)  # it is taken
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
