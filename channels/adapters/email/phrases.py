"""How mail programs announce what they quote, in the languages they speak. Pure."""

from __future__ import annotations

import re

_WROTE = re.compile(
    r"(?<!\w)(?:wrote|writes|schrieb|schrieben|a écrit|escribió|ha escrito|ha scritto|scrive|escreveu|schreef|skrev|"
    r"napisała?|napisał\(a\)|pisze|написала?|написал\(а\)|пишет|писал|пише|kirjoitti|napsala?|napsal\(a\)|napísal|"
    r"írta|yazdı|a scris|έγραψε|כתב)(?!\w)|写道|寫道|のメール|は書きました|작성",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"\s*(?:on|am|le|el|il|em|op|den|dnia|w dniu|dne|il giorno|на|в|pada|pe|tiistai)\s.*\d", re.IGNORECASE
)
_DATED = re.compile(r"\d{1,2}[:.]\d{2}|\d{4}|[^\s<>]@[^\s<>]")
_LONGEST = 400


def is_attribution(text: str) -> bool:
    """Whether this is what programs put before a quotation: "On Monday, Anna wrote:"."""
    text = text.strip().rstrip("*_ ")
    if len(text) > _LONGEST or not text.endswith((":", "：")) or not _WROTE.search(text):
        return False
    return bool(_DATED.search(text)) or len(text.split()) <= 5


def is_dated(text: str) -> bool:
    """Whether an attribution names two of a time, a year and an address: a program wrote it."""
    return len(_DATED.findall(text)) >= 2


def begins_attribution(line: str) -> bool:
    """Whether an attribution that goes over several lines can begin with this one."""
    return len(line) <= _LONGEST and bool(_BEGINS.match(line))


MARKER = re.compile(
    r"\s*(?:[-_–—=*]{2,}\s*(?:original message|original appointment|forwarded message|forwarded by .*|"
    r"ursprüngliche nachricht|original-nachricht|originalnachricht|weitergeleitete nachricht|message d'origine|"
    r"message original|message transféré|message transf[eé]r[eé]|mensaje original|mensaje reenviado|"
    r"messaggio originale|messaggio inoltrato|mensagem original|mensagem encaminhada|oorspronkelijk bericht|"
    r"doorgestuurd bericht|ursprungligt meddelande|vidarebefordrat meddelande|oprindelig meddelelse|"
    r"videresendt meddelelse|opprinnelig melding|videresendt melding|alkuperäinen viesti|välitetty viesti|"
    r"oryginalna wiadomość|wiadomość oryginalna|przekazana wiadomość|исходное сообщение|пересылаемое сообщение|"
    r"původní zpráva|přeposlaná zpráva|eredeti üzenet|továbbított üzenet|orijinal mesaj|iletilen mesaj|"
    r"元のメッセージ|転送メッセージ|原始邮件|转发邮件|原始郵件|轉寄郵件|원본 메시지|전달된 메시지)\s*[-_–—=*]{2,}"
    r"|begin forwarded message:|anfang der weitergeleiteten nachricht:|début du message réexpédié\s*:|"
    r"début du message transféré\s*:|inicio del mensaje reenviado:|inizio messaggio inoltrato:|"
    r"início da mensagem encaminhada:|begin doorgestuurd bericht:|vidarebefordrat brev:|"
    r"start på videresendt besked:)\s*",
    re.IGNORECASE,
)
"""The line above a mail that is quoted or forwarded whole."""

FORWARDED = re.compile(
    r"forward|weitergeleitet|transf[eé]r|réexpédié|reenviado|inoltrat|encaminhad|doorgestuurd|vidarebefordrat|"
    r"videresendt|välitetty|przekazana|пересылаемое|přeposlan|továbbított|iletilen|転送|转发|轉寄|전달",
    re.IGNORECASE,
)

_FROM = "from|von|de|da|van|från|fra|od|от|lähettäjä|feladó|kimden|gönderen|expéditeur|差出人|发件人|寄件者|보낸 사람"
_TELLING = (
    "sent|subject|gesendet|betreff|envoyé|date d'envoi|objet|enviado|enviado el|asunto|inviato|oggetto|assunto|"
    "verzonden|onderwerp|skickat|ämne|sendt|emne|wysłano|temat|отправлено|тема|lähetetty|aihe|odesláno|předmět|elküldve|tárgy|"
    "gönderildi|konu|送信日時|件名|发送时间|主题|寄件日期|主旨|보낸 날짜|제목"
)
_OTHERS = (
    "date|to|cc|datum|an|à|fecha|para|data|a|aan|till|til|dato|do|дата|кому|vastaanottaja|komu|címzett|tarih|kime|"
    "reply-to|日時|宛先|时间|收件人|收件者|받는 사람"
)
HEAD_FROM = re.compile(rf"\s*[*_]*(?:{_FROM})\s*[:：]\s*[*_]*\s*(\S.*)", re.IGNORECASE)
"""The first line of the head of a mail, as programs copy it into the text; its group is who wrote."""

HEAD_LINE = re.compile(rf"\s*[*_]*(?:{_TELLING}|{_OTHERS})\s*[:：][*_]*(?:\s.*)?", re.IGNORECASE)
"""One of the lines that follow it."""

HEAD_TELLING = re.compile(rf"\s*[*_]*(?:{_TELLING})\s*[:：][*_]*(?:\s.*)?", re.IGNORECASE)
"""One by which a mail's head is told from somebody's "From: Berlin, To: Hamburg"."""

HEAD_ANY = re.compile(r"\s*[*_]*[^\W\d][^:：]{0,24}[:：].*[<\[(](?:mailto:)?[^\s<>]+@[^\s<>]+[>\])].*")
LABELLED = re.compile(r"\s*[*_]*[^\W\d][^:：]{0,24}[:：](?:\s.*|[*_]*)")
"""A head in a language that isn't known here: an author with an address, and labelled lines below."""

RULE = re.compile(r"\s*(?:_{8,}|-{8,}|—{3,}|\*{8,})\s*")

SENT_FROM = re.compile(
    r"\s*[*_]?(?:sent from (?:my |outlook|yahoo|mail for|proton|samsung)|get outlook for|sent via |"
    r"von meinem .* gesendet|"
    r"gesendet (?:von|mit) |diese nachricht wurde von meinem|envoyé (?:de|depuis) (?:mon|outlook)|"
    r"télécharger outlook|enviado (?:desde|do|a partir do) (?:mi|meu|outlook)|"
    r"inviato (?:da|dal) (?:mio |iphone|outlook)|"
    r"verzonden (?:vanaf|met) mijn|skickat från min|sendt fra min|wysłane z |отправлено (?:с|из) |"
    r"lähetetty .*(?:iphone|android)|outlook für |iphoneから送信|发自我的).{0,160}",
    re.IGNORECASE,
)
"""What telephones put below every mail."""

FORWARD_SUBJECT = re.compile(
    r"\s*(?:fwd?|wg|tr|rv|enc|i|doorst|vs|vb|vl|pd|yml|továbbítás|转发|轉寄|転送)(?:\[\d+\])?\s*[:：]",
    re.IGNORECASE,
)
REPLY_SUBJECT = re.compile(
    r"\s*(?:(?:re|aw|antw|antwort|sv|r|rif|ref|vs|odp|ynt|ad|res|rsp|atb|bls|ση|回复|回覆|答复|返信|fwd?|wg|tr|rv|enc|i|"
    r"doorst|vb|vl|pd|yml|továbbítás|转发|轉寄|転送)(?:\[\d+\]|\^\d+|\(\d+\))?\s*[:：]\s*)+",
    re.IGNORECASE,
)
"""What answers and forwarded mails put before a subject, in the languages of https://en.wikipedia.org/wiki/List_of_email_subject_abbreviations"""
