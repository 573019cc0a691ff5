"""How Markdown looks in WhatsApp and in a mail."""

from __future__ import annotations

import pytest

from channels.markup import mail_html, parse, plain, utf16_units, whatsapp
from channels.split import rendered, split

HAIR, GAP = "\u200a", "\u200b"


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**bold** *italic* ~~gone~~ `code`", "*bold* _italic_ ~gone~ `code`"),
        ("***both***", "_*both*_"),
        ("# Title", "*Title*"),
        ("**two\nlines**", "*two*\n*lines*"),
        ("un**believ**able", f"un{GAP}*believ*{GAP}able"),
        ("snake_case_name and 2\\*3", "snake_case_name and 2*3"),
        ("a footnote\\*", "a footnote*"),
        ("\\*not bold\\*", f"{GAP}{HAIR}*{HAIR}not bold{HAIR}*"),
        ("\\`x\\`", "\u02cbx\u02cb"),
        ("``a`b``", "```a`b```"),
        ("[label](https://e.org/a)", "label (https://e.org/a)"),
        ("[x](https://e.org/~a~)", "x (https://e.org/%7Ea%7E)"),
        ("**see [x](https://e.org)**", "*see x* (https://e.org)"),
        ("- one\n  - two\n- three", "- one\n  • two\n- three"),
        ("2. two\n3. three", "2. two\n3. three"),
        ("\\- no list", f"{GAP}- no list"),
        ("> said\n> **twice**\n\nso", "> said\n> *twice*\n\nso"),
        ("\\> said", f"{GAP}> said"),
        ("```py\nx = `1`\n```", f"```x = `1`{GAP}```"),
        ("    indented\n\ntext", "```indented```\n\ntext"),
        ("```\n  far in\n```", "```\n  far in```"),
        ("> ```\n> a\n> b\n> ```", "> `a`\n> `b`"),
        ("|a|b|\n|-|-:|\n|1|2|", "```a │ b\n──┼──\n1 │ 2```"),
        ("**[lamp](http://hub:8123/)** on", "*lamp* (http://hub:8123/) on"),
    ],
)
def test_whatsapp(markdown: str, expected: str) -> None:
    assert whatsapp(parse(markdown)) == expected


def test_a_text_for_whatsapp_is_cut_by_its_length_with_marks() -> None:
    text = " ".join(["**a** _b_"] * 40)

    pieces = split(text, 120, rendered)

    assert " ".join(pieces) == text
    assert all(utf16_units(whatsapp(parse(piece))) <= 120 for piece in pieces)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**bold** *it* ~~no~~", "<p><b>bold</b> <i>it</i> <s>no</s></p>\n"),
        ("## Ti**t**le", "<h2>Title</h2>\n"),
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("- a\n- b", "<ul><li>a</li>\n<li>b</li>\n</ul>\n"),
        ("4. a\n\n   b", '<ol><li value="4"><p>a</p>\n<p>b</p>\n</li>\n</ol>\n'),
        ("---", "<hr>\n"),
        ("<b>x</b> & y", "<p>&lt;b&gt;x&lt;/b&gt; &amp; y</p>\n"),
        (
            '[l](https://e.org/"x") <me@e.org>',
            '<p><a href="https://e.org/%22x%22">l</a> <a href="mailto:me@e.org">me@e.org</a></p>\n',
        ),
        ("see https://e.org/a, ok", '<p>see <a href="https://e.org/a">https://e.org/a</a>, ok</p>\n'),
        ("[t](tg://resolve)", "<p>t (tg://resolve)</p>\n"),
        ("[j](javascript:alert(1))", "<p>[j](javascript:alert(1))</p>\n"),
        ("![pic](https://e.org/p.png)", '<p><a href="https://e.org/p.png">pic</a></p>\n'),
    ],
)
def test_mail(markdown: str, expected: str) -> None:
    assert mail_html(parse(markdown)) == expected


def test_a_table_is_a_table_in_a_mail() -> None:
    html = mail_html(parse("|a|b|\n|-|-:|\n|*1*|<2>|"))

    assert html.count("<tr>") == 2
    assert '<th style="border:1px solid #999;padding:3px 8px;text-align:right">b</th>' in html
    assert '"border:1px solid #999;padding:3px 8px;text-align:left"><i>1</i></td>' in html
    assert "&lt;2&gt;" in html


def test_a_mails_plain_part_marks_quotations() -> None:
    assert plain(parse("> a\n> b\n\nc")) == "> a\n> b\n\nc"
