"""Check `style`: punctuation, emoji, capitals, contractions, sentence length, characters nobody sees.

The guide's mechanical rules warn; sentence length only suggests, it is advice in every guide we have seen. Hidden
and damaged characters block: they survive copy and paste, break SMS encoding and can turn text around.
"""

from collections.abc import Callable, Iterator

import regex

from brand_voice.guide import Brand
from brand_voice.records import Finding
from brand_voice.screen.repeats import repeats, style_finding
from brand_voice.screen.text import WORD, Copy, sentences, shown

_HIDDEN = regex.compile(
    r"(?V1)(?:[[\p{Cf}\p{Cc}\p{Cs}\p{Co}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufffd]--[\n\r\t]])+"
)
_JOINED = regex.compile(
    r"(?V1)(?<=[\p{L}\p{M}--[\p{Latin}\p{Greek}\p{Cyrillic}]])[\u200c\u200d](?=\p{L})"
    r"|(?<=[\p{Extended_Pictographic}\ufe0f\U0001f3fb-\U0001f3ff])\u200d(?=\p{Extended_Pictographic})"
)
_EMOJI = regex.compile(
    r"(?:(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[\u2600-\u27bf\U0001f000-\U0001faff])"
    r"[\ufe0f\u200d\u20e3\U0001f3fb-\U0001f3ff]*)+"
)
_EXCLAMATION = regex.compile(r"[!¡！‼❗]+(?:\s*[!！‼❗])*")
_QUESTION = regex.compile(r"[?？]+")
_HASHTAG = regex.compile(r"(?<![\w&/])[#＃]+(?=\w*\p{L})\w+")
_EM_DASH = regex.compile(r"(?<![^\S\n])[^\S\n]*[—―⸺⸻]+(?:[^\S\n]*[—―⸺⸻]+)*[^\S\n]*")
_CAPITALS = regex.compile(
    r"(?<![\w'-])(?:\p{Lu}{4,}(?![\w-])(?:\s+(?=\p{Lu}{2,}(?![\w-])))?(?:\p{Lu}{2,}(?![\w-])\s?)*)"
)
_PLAIN_WORD = regex.compile(r"\w+")
_AFTER_CODE = regex.compile(r"\bcode:?\s+$", regex.IGNORECASE)
_MARKUP = regex.compile(r"\*{2,}|`{2,}|<[|/]?\w+[|/]?>|\{\{?\w*\}\}?|\[\w[\w ]*\]|(?m:^#{1,6} )")
_CONTRACTION = regex.compile(
    r"(?<![\w'])(?:(?P<irregular>can't|won't|shan't|ain't|let's)|(?P<stem>\w+)(?P<not>n't)"
    r"|(?P<word>\w+)(?P<tail>'(?:re|ve|ll|m))|(?P<is>it|that|there|here|what|who|where|he|she)'s)(?![\w'])"
)
_LONG_FORMS = {"can't": "cannot", "won't": "will not", "shan't": "shall not", "ain't": "is not", "let's": "let us"}
_TAILS = {"'re": " are", "'ve": " have", "'ll": " will", "'m": " am"}


class Style:
    """The guide's mechanical style."""

    def __init__(self, brand: Brand) -> None:
        self._style = brand.style
        self._known = frozenset(_PLAIN_WORD.findall(" ".join((brand.name, *brand.approved_claims))))

    def check(self, copy: Copy) -> Iterator[Finding]:
        """Findings on style."""
        yield from _hidden(copy.text)
        yield from self._punctuation(copy.text)
        yield from self._capitals(copy)
        yield from repeats(copy)
        yield from _markup(copy.text)
        if not self._style.contractions and copy.language == "en":
            yield from _contractions(copy)
        if self._style.max_sentence_words:
            yield from _long_sentences(copy.text, self._style.max_sentence_words)

    def _punctuation(self, text: str) -> Iterator[Finding]:
        style = self._style
        yield from _beyond(text, "exclamation_marks", _EXCLAMATION, style.max_exclamation_marks, _full_stop)
        if style.max_question_marks is not None:
            yield from _beyond(text, "question_marks", _QUESTION, style.max_question_marks, None)
        yield from _beyond(text, "hashtags", _HASHTAG, style.max_hashtags, lambda m: m.group().lstrip("#＃"))
        if not style.allow_emoji:
            yield from _beyond(text, "emoji", _EMOJI, 0, lambda m: "")
        if not style.allow_em_dash:
            yield from _beyond(
                text, "em_dash", _EM_DASH, 0, lambda m: ", " if 0 < m.start() < m.end() < len(text) else ""
            )

    def _capitals(self, copy: Copy) -> Iterator[Finding]:
        for match in _CAPITALS.finditer(copy.text):
            words = match.group().split()
            said = self._known.union(_PLAIN_WORD.findall(copy.brief.said()))
            if said.issuperset(words) or _AFTER_CODE.search(copy.text, max(0, match.start() - 10), match.start()):
                continue
            capitals = match.group().rstrip()
            before = copy.text[: match.start()].rstrip()
            small = capitals.lower() if before and before[-1] not in ".!?…" else capitals.capitalize()
            span = match.start(), match.start() + len(capitals)
            suggestion = None if _CAPITALS.search(small) else small
            yield style_finding("capitals", f'"{shown(capitals)}" is in capitals.', span, suggestion)


def _full_stop(match: "regex.Match[str]") -> str:
    text, after = match.string, match.string[match.end() : match.end() + 1]
    before = text[: match.start()].rstrip()[-1:]
    return "" if before in (".", "?", "…", "") or after == "?" else "."


def _beyond(
    text: str,
    rule: str,
    pattern: "regex.Pattern[str]",
    allowed: int,
    mended: "Callable[[regex.Match[str]], str] | None",
) -> Iterator[Finding]:
    matches = list(pattern.finditer(text))
    name = rule.replace("_", " ")
    for match in matches[allowed:]:
        message = (
            f"No {name}, says the guide." if not allowed else f"{len(matches)} {name}; the guide allows {allowed}."
        )
        yield style_finding(rule, message, match.span(), mended(match) if mended else None)


def _hidden(text: str) -> Iterator[Finding]:
    if text.isascii() and text.isprintable():
        return
    joined = {match.start() for match in _JOINED.finditer(text)}
    for match in _HIDDEN.finditer(text):
        if not joined.issuperset(range(*match.span())):
            points = " ".join(f"U+{ord(c):04X}" for c in match.group()[:4])
            yield style_finding(
                "hidden_characters", f"Hidden or damaged characters ({points}).", match.span(), "", "block"
            )


def _markup(text: str) -> Iterator[Finding]:
    for match in _MARKUP.finditer(text):
        yield style_finding(
            "markup", f'"{shown(match.group())}" looks like markup or an unfilled placeholder.', match.span(), None
        )


def _contractions(copy: Copy) -> Iterator[Finding]:
    for match in _CONTRACTION.finditer(copy.folded):
        if match["irregular"]:
            long = _LONG_FORMS[match["irregular"]]
        elif match["not"]:
            long = match["stem"] + " not"
        else:
            long = match["is"] + " is" if match["is"] else match["word"] + _TAILS[match["tail"]]
        first = copy.text[match.start()]
        yield style_finding("contractions", "The guide writes contractions out.", match.span(), first + long[1:])


def _long_sentences(text: str, limit: int) -> Iterator[Finding]:
    for start, end in sentences(text):
        count = len(WORD.findall(text, start, end))
        if count > limit:
            yield style_finding(
                "sentence_length",
                f"{count} words in a sentence; the guide aims at {limit}.",
                (start, end),
                None,
                "suggest",
            )
