"""What goes to Meta's server, and what its refusals lead to."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.responses import Response

from channels.errors import DeliveryError, NotSent, Refused, Unknown
from channels.types import Choice, DeliveryReport, File, Media
from tests.fakes import whatsapp_deliveries as made
from tests.unit.channels.whatsapp_cloud.scene import ANN, DAY, scene

TEMPLATE = {"name": "waiting_for_you", "language": "en_US"}


async def test_a_text_goes_out_in_whatsapps_marks_without_a_look_at_its_links() -> None:
    async with scene() as s:
        ref = await s.send("**Bold** [here](https://example.org)")
        (shown,) = s.wa.sent
        assert shown.ref == ref
        assert {**shown.payload, "biz_opaque_callback_data": "..."} == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": ANN,
            "type": "text",
            "text": {"body": "*Bold* here (https://example.org)", "preview_url": False},
            "biz_opaque_callback_data": "...",
        }


@pytest.mark.parametrize(
    ("chat", "named"),
    [
        (ANN, {"recipient_type": "individual", "to": ANN}),
        ("US.1349183461", {"recipient_type": "individual", "recipient": "US.1349183461"}),
        ("Y2FwaV9ncm91cDox", {"recipient_type": "group", "to": "Y2FwaV9ncm91cDox"}),
    ],
)
async def test_who_gets_it_is_named_as_meta_wants_it(chat: str, named: dict[str, str]) -> None:
    async with scene() as s:
        await s.send("hello", chat=chat)
        assert named.items() <= s.wa.sent[0].payload.items()


async def test_up_to_three_choices_are_buttons_and_more_are_a_list() -> None:
    few = (Choice("Yes", "/approve 7"), Choice("No", "/deny 7"))
    many = tuple(Choice(f"Number {number}", f"{number}") for number in range(5))
    async with scene() as s:
        await s.send("Shall I?", choices=few)
        await s.send("Which?", 2, choices=many)
        await s.send(
            "Which?", 3, choices=tuple(Choice(f"Number {number}", f"{number}") for number in range(11))
        )
        await s.send("long " * 300, 4, choices=few)
        kinds = [one.payload["type"] for one in s.wa.sent]
        assert kinds == ["interactive", "interactive", "text", "text"]

        for shown, title in ((s.wa.sent[0], "No"), (s.wa.sent[1], "Number 3")):
            s.wa.presses(ANN, shown, title)
        await s.heard(2)
        assert [one.text for one in s.taken] == ["/deny 7", "3"]
        assert all(not one.quotes for one in s.taken)


async def test_an_answer_quotes_only_what_something_newer_stands_after() -> None:
    async with scene() as s:
        first = s.wa.says(ANN, "one")
        await s.heard()
        await s.send("to one", reply_to=first)
        second = s.wa.says(ANN, "two")
        await s.heard(2)
        await s.send("to one again", 2, reply_to=first)
        await s.send("to two", 3, reply_to=second)
        contexts = [one.payload.get("context") for one in s.wa.sent]
        assert contexts == [None, {"message_id": first}, None]


async def test_what_can_not_be_quoted_is_sent_without() -> None:
    async with scene() as s:
        s.wa.fails(131009)
        await s.send("hello", reply_to="wamid.gone")
        assert [one.payload.get("context") for one in s.wa.sent] == [None]


@pytest.mark.parametrize("code", [130429, 80007, 4])
async def test_a_rate_of_the_number_rests_all_chats_for_longer_each_time(code: int) -> None:
    async with scene() as s:
        waits = []
        for _ in range(3):
            s.wa.fails(code)
            with pytest.raises(NotSent) as first:
                await s.send("hello")
            with pytest.raises(NotSent) as other:
                await s.send("hello", chat="491511234567")
            assert first.value.retry_after is not None
            assert other.value.retry_after is not None
            assert other.value.retry_after <= first.value.retry_after
            waits.append(first.value.retry_after)
            s.clock.ahead += first.value.retry_after
        assert waits == sorted(set(waits))
        assert len([path for _, path in s.wa.requests if path == "messages"]) == 3, "the other was not tried"
        await s.send("hello")
        await s.send("hello", chat="491511234567")
        assert not s.told


async def test_a_rate_of_a_pair_rests_that_chat_only() -> None:
    async with scene() as s:
        s.wa.fails(131056)
        for _ in range(2):
            with pytest.raises(NotSent) as waits:
                await s.send("hello")
            assert waits.value.retry_after is not None
            assert 0 < waits.value.retry_after <= 4
        await s.send("hello", chat="491511234567")
        s.clock.ahead += 4
        await s.send("hello")
        assert [one.to for one in s.wa.sent] == ["491511234567", ANN]


async def test_an_expired_token_is_told_once_and_shown_until_there_is_a_good_one() -> None:
    async with scene() as s:
        good, s.wa.token = s.wa.token, "another"
        for _ in range(3):
            with pytest.raises(NotSent) as refused:
                await s.send("hello")
            assert "access token" in refused.value.detail
            s.clock.ahead += refused.value.retry_after or 0
        assert len(s.told) == 1
        assert "business.facebook.com" in s.told[0]
        assert not s.channel.status.up
        assert good not in s.told[0]

        s.wa.token = good
        await s.send("hello")
        assert s.channel.status.up


async def test_the_24_hours_over_at_once_waits_for_the_reader() -> None:
    async with scene() as s:
        s.wa.closed.add(ANN)
        s.wa.late = False
        for _ in range(2):
            with pytest.raises(NotSent) as waits:
                await s.send("hello")
            assert (waits.value.retry_after or 0) > 3600
        assert len([path for _, path in s.wa.requests if path == "messages"]) == 1, "not tried in vain"
        assert "+16505551234" in s.told[0]

        s.wa.says(ANN, "I am here")
        await s.heard()
        await s.send("hello")
        assert s.wa.shown(ANN) == ["hello"]


async def test_the_24_hours_over_by_a_later_status_opens_the_row_again() -> None:
    async with scene() as s:
        s.wa.closed.add(ANN)
        ref = await s.send("hello")
        await s.wa.until(lambda: s.reports)
        (report,) = s.reports
        assert (report.ref, report.delivered, report.again) == (ref, False, True)
        assert "24 hours" in report.detail
        await s.wa.until(lambda: s.told)
        with pytest.raises(NotSent, match="24 hours"):
            await s.send("hello")
        assert len(s.wa.sent) == 1


async def test_the_24_hours_are_kept_over_a_restart() -> None:
    async with scene() as before:
        before.wa.says(ANN, "hello")
        await before.heard()
    async with scene(before.store) as s:
        await s.send("soon")
        s.clock.ahead = DAY + 60
        with pytest.raises(NotSent, match="24 hours"):
            await s.send("late", 2)
        assert s.wa.shown(ANN) == ["soon"]


@pytest.mark.parametrize("late", [True, False])
async def test_outside_the_24_hours_the_template_asks_once(late: bool) -> None:
    async with scene(template=TEMPLATE) as s:
        s.wa.closed.add(ANN)
        s.wa.late = late
        if late:
            await s.send("hello")
            await s.wa.until(lambda: s.reports and len(s.wa.sent) == 2)
        for number in range(2):
            with pytest.raises(NotSent, match="the template asked them to"):
                await s.send("hello", number)
        templates = [one.payload["template"] for one in s.wa.sent if one.payload["type"] == "template"]
        language = {"code": "en_US", "policy": "deterministic"}
        assert templates == [{"name": "waiting_for_you", "language": language}]
        assert not s.told

        s.wa.says(ANN, "what is it?")
        await s.heard()
        await s.send("hello", 1)
        assert s.wa.sent[-1].text == "hello"


async def test_a_template_whose_answer_was_lost_is_no_reason_not_to_ask_again_another_day() -> None:
    async with scene(template=TEMPLATE) as s:
        s.wa.fails(131047)
        s.wa.drops(done=True)
        with pytest.raises(NotSent, match="template could not be sent"):
            await s.send("hello")
        s.wa.status(s.wa.sent[0], "sent")
        await s.quiet()
        for days, asked in ((0, 1), (1, 2)):
            s.clock.ahead = days * (DAY + 60)
            with pytest.raises(NotSent, match="the template asked them to"):
                await s.send("hello")
            assert len(s.wa.sent) == asked


async def test_a_template_that_meta_does_not_know_is_told() -> None:
    async with scene(template=TEMPLATE) as s:
        s.wa.fails(131047)
        s.wa.fails(132001)
        with pytest.raises(NotSent, match="template could not be sent"):
            await s.send("hello")
        assert any("`template` in [channels.whatsapp]" in line for line in s.told)


async def test_a_lost_answer_is_known_from_the_status_and_nothing_goes_twice() -> None:
    async with scene() as s:
        s.wa.drops(done=True)
        with pytest.raises(Unknown):
            await s.send("hello", 7)
        s.wa.status(s.wa.sent[0], "sent")
        await s.quiet()
        assert await s.send("🔁 hello", 7) == s.wa.sent[0].ref
        assert len(s.wa.sent) == 1


async def test_a_lost_answer_without_a_status_is_repeated() -> None:
    async with scene() as s:
        s.wa.drops()
        with pytest.raises(Unknown):
            await s.send("hello", 7)
        with pytest.raises(NotSent) as waits:
            await s.send("hello", 7)
        assert waits.value.retry_after is not None
        s.clock.ahead += waits.value.retry_after
        await s.send("hello", 7)
        assert s.wa.shown(ANN) == ["hello"]


async def test_statuses_come_in_any_order_twice_and_of_strangers() -> None:
    async with scene() as s:
        ref = await s.send("hello")
        for state in ("read", "delivered", "sent", "delivered", "nonsense"):
            s.wa.status(s.wa.sent[0], state)
        s.wa.deliver(made.status(ANN, "wamid.unknown", "failed", **made.failure(131026)))
        await s.quiet()
        assert s.reports[0] == DeliveryReport(ref, delivered=True)
        assert [report.ref for report in s.reports[1:]] == ["wamid.unknown"]
        assert set(s.wa.answers) == {200}


@pytest.mark.parametrize(
    ("code", "again"), [(131047, True), (131056, True), (131000, True), (131026, False), (131053, False)]
)
async def test_a_failure_that_comes_later(code: int, again: bool) -> None:
    async with scene() as s:
        ref = await s.send("hello")
        s.wa.status(s.wa.sent[0], "failed", **made.failure(code))
        await s.wa.until(lambda: s.reports)
        assert [(one.ref, one.delivered, one.again) for one in s.reports] == [(ref, False, again)]
        assert s.reports[0].detail


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response("not JSON", 200), Unknown),
        (Response("{}", 200), Unknown),
        (Response("<html>", 502), Unknown),
        (Response('{"error": {"code": 2, "message": "down"}}', 500), Unknown),
        (Response('{"error": {"code": 131016, "message": "down"}}', 503), NotSent),
        (Response('{"error": {"code": 2, "is_transient": true}}', 500), NotSent),
        (Response("<html>", 403), NotSent),
        (Response("", 302, {"location": "https://example.org"}), NotSent),
        (Response('{"error": {"code": 131026, "message": "no"}}', 400), Refused),
        (Response('{"error": {"code": 100, "error_subcode": 33}}', 400), NotSent),
        (Response('{"error": {"code": 99999, "message": "new"}}', 400), Refused),
        (Response('{"error": "words"}', 400), NotSent),
        (Response("[]", 200), Unknown),
    ],
)
async def test_each_answer_counts_as_what_it_is(response: Response, expected: type[DeliveryError]) -> None:
    async with scene() as s:
        s.wa.answers_with(response)
        with pytest.raises(DeliveryError) as failed:
            await s.send("hello")
        assert type(failed.value) is expected
        assert failed.value.detail


async def test_a_server_that_is_not_there_is_not_sent() -> None:
    async with scene() as s:
        await s.wa._stack.aclose()
        with pytest.raises(NotSent, match="can't be reached"):
            await s.send("hello")


@pytest.mark.parametrize(
    ("kind", "mime", "sent_as", "uploaded"),
    [
        (Media.IMAGE, "image/png", "image", "image/png"),
        (Media.IMAGE, "image/gif", "document", None),
        (Media.VIDEO, "video/mp4", "video", "video/mp4"),
        (Media.AUDIO, "audio/mpeg", "audio", "audio/mpeg"),
        (Media.VOICE, "audio/ogg", "audio", "audio/ogg; codecs=opus"),
        (Media.FILE, "application/pdf", "document", "application/pdf"),
        (Media.FILE, "text/markdown", "document", "text/plain"),
    ],
)
async def test_a_file_is_uploaded_and_sent_as_what_it_is(
    tmp_path: Path, kind: Media, mime: str, sent_as: str, uploaded: str | None
) -> None:
    (tmp_path / "a").write_bytes(b"content")
    async with scene() as s:
        sending = s.send("look", file=File(tmp_path / "a", "a", mime, kind))
        if uploaded is None:
            with pytest.raises(Refused):
                await sending
            return
        await sending
        content = s.wa.sent[0].payload[sent_as]
        assert s.wa.media[content["id"]] == (b"content", uploaded)
        assert content.get("voice", False) is (kind is Media.VOICE)
        captioned = sent_as != "audio"
        assert content.get("caption") == ("look" if captioned else None)
        assert [one.payload["type"] for one in s.wa.sent] == [sent_as, *([] if captioned else ["text"])]


async def test_a_text_that_fails_below_a_file_does_not_bring_the_file_twice(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    file = File(tmp_path / "a.pdf", "a.pdf", "application/pdf")
    async with scene() as s:
        s.wa.fails(131016, after=1)
        with pytest.raises(NotSent):
            await s.send("long " * 400, 2, file=file)
        await s.send("long " * 400, 2, file=file)
        assert [one.payload["type"] for one in s.wa.sent] == ["document", "text"]


@pytest.mark.parametrize("size", [0, 100_000_001])
async def test_a_file_that_can_not_be_taken_is_refused_in_words(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.pdf"
    with path.open("wb") as file:
        file.truncate(size)
    async with scene() as s:
        with pytest.raises(Refused, match=r"a\.pdf"):
            await s.send("", file=File(path, "a.pdf", "application/pdf"))
        assert not s.wa.media


async def test_what_no_encoding_carries_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    async with scene() as s:
        await s.send("a\ud800b", file=File(tmp_path / "a", "a\udcff.txt", "text/plain"))
        document = s.wa.sent[0].payload["document"]
        assert (document["caption"], document["filename"]) == ("a\ufffdb", "a\ufffd.txt")


async def test_a_fault_of_the_notes_does_not_undo_a_delivery() -> None:
    async with scene() as s:
        s.store.values["chat 491511234567"] = "no JSON"
        await s.send("hello", chat="491511234567")
        assert s.wa.shown("491511234567") == ["hello"]
