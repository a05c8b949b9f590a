"""The same edit made in several drafts suggests a rule of the brand guide.

A word difference between a draft and its edited text shows which words were replaced or taken out. Copy is short and
edits rewrite whole sentences, so a change counts only where it is local: the words on both sides of it stay, and so
does half of its sentence. What the brief dictates is not voice; what approved copy keeps elsewhere is not a rule.
Forms are never guessed: "purchase" says nothing about "purchases". Records in, records out: nothing is stored here.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from brand_voice.guide import BannedTerm, Brand, Preference
from brand_voice.guide_text import Rule, StyleLimit
from brand_voice.records import Approved, Brief, Record, content_hash
from brand_voice.screen.patterns import Terms
from brand_voice.screen.text import WORD, Copy, fold, sentences

MIN_DRAFTS = 3
MAX_WORDS = 4
"""On either side of a replacement."""
CONTEXT = 2
"""Words or marks on each side that stay, as far as the sentence has them."""
MAX_TOKENS = 2_000
"""Longer texts are not compared: that takes the square of the length."""
MAX_EXAMPLES = 3
MARKS = {
    "!": StyleLimit("max_exclamation_marks", 0),
    "?": StyleLimit("max_question_marks", 0),
    "—": StyleLimit("allow_em_dash", False),
}
"""Punctuation that a guide can do without."""

_TOKEN = re.compile(rf"{WORD.pattern}|[^\w\s]")

Edit = tuple[str, str]
"""What was there and what took its place (nothing: taken out), both folded."""


class Example(NamedTuple):
    """A sentence before and after the edit."""

    before: str
    after: str


class Suggestion(Record):
    """An edit that was made in several drafts."""

    brand: str
    before: str
    after: str
    """Empty if it was taken out."""
    locale: str | None
    """The only locale it was made in, where the guide has several."""
    examples: tuple[Example, ...]
    draft_ids: tuple[str, ...]

    @property
    def count(self) -> int:
        """Drafts it was made in."""
        return len(self.draft_ids)

    @property
    def edit(self) -> Edit:
        """What a dismissal is remembered by."""
        return fold(self.before), fold(self.after)

    @property
    def id(self) -> str:
        """The same for the same edit of the same brand."""
        return content_hash([self.brand, *self.edit])

    @property
    def rule(self) -> Rule:
        """What the guide would say: a mark's limit, a preference (a warning), or a ban where nothing took its place."""
        if self.before in MARKS:
            return MARKS[self.before]
        if not self.after:
            return BannedTerm(term=self.before, why=f"Taken out of {self.count} drafts in review.")
        return Preference(say=self.after, instead_of=(self.before,), locale=self.locale)

    @property
    def finding_rule(self) -> str:
        """Id of the rule in findings."""
        rule = self.rule
        if isinstance(rule, StyleLimit):
            return "style." + rule.name.removeprefix("max_").removeprefix("allow_")
        return f"lexicon.{'banned' if isinstance(rule, BannedTerm) else 'prefer'}.{fold(self.before)}"

    def said(self) -> str:
        """The edit and the rule it would become, as a person reads it."""
        rule = self.rule
        if isinstance(rule, Preference):
            where = f" in {rule.locale}" if rule.locale else ""
            what = f"Rule{where}: say “{rule.say}” instead of “{self.before}”; a warning that offers the replacement."
            return f"You changed “{self.before}” to “{self.after}” in {self.count} drafts. {what}"
        what = f"“{self.before}” is banned; it blocks" if isinstance(rule, BannedTerm) else "none at all; a warning"
        return f"You took “{self.before}” out of {self.count} drafts. Rule: {what}."


class _Token(NamedTuple):
    start: int
    end: int
    text: str
    """Folded."""


class _Change(NamedTuple):
    """One local replacement in one text."""

    before: str
    after: str
    """As written."""
    opens: bool
    """Whether it begins its sentence, and so may owe its capital to that."""
    example: Example


class _Made(NamedTuple):
    """A change and the draft it was made in."""

    change: _Change
    draft_id: str
    locale: str


def suggest(approved: Iterable[Approved], guide: Brand, *, dismissed: Container[Edit] = ()) -> list[Suggestion]:
    """Suggest rules from the current edits among approved drafts, the most frequent first.

    The same text drafted twice for one brief counts once. A replacement is suggested if most of the approved texts
    that had the words lost them, a ban only if all of them did.
    """
    texts = list(approved)
    found = {edit: made for edit, made in _repeated(texts).items() if edit not in dismissed}
    found = {edit: made for edit, made in found.items() if not _is_settled(edit, made, guide)}
    kept = _kept({before for before, _ in found}, texts) if found else {}
    wanted = [
        _suggestion(edit, made, guide) for edit, made in found.items() if kept[edit[0]] < (len(made) if edit[1] else 1)
    ]
    return sorted(wanted, key=lambda s: (-s.count, *s.edit))


def is_repeated(texts: Iterable[Approved]) -> bool:
    """Whether any edit was made often enough to be looked at."""
    return bool(_repeated(texts))


def _repeated(texts: Iterable[Approved]) -> dict[Edit, list[_Made]]:
    """The edits made in enough drafts, each with one change a draft."""
    found: dict[Edit, dict[tuple[str, str], _Made]] = defaultdict(dict)
    for draft, brief, review in texts:
        if review.verdict != "edit" or not review.final_text:
            continue
        for change in _changes(draft.text, review.final_text):
            edit = fold(change.before), fold(change.after)
            if not _is_dictated(edit, brief):
                found[edit].setdefault((draft.brief_hash, draft.text), _Made(change, draft.id, brief.locale))
    return {edit: list(made.values()) for edit, made in found.items() if len(made) >= MIN_DRAFTS}


def _changes(before: str, after: str) -> Iterator[_Change]:
    """Local replacements of up to four words, and marks taken out, in the order of the text."""
    old, new = _tokens(before), _tokens(after)
    if max(len(old), len(new)) > MAX_TOKENS:
        return
    matcher = SequenceMatcher(None, [t.text for t in old], [t.text for t in new], autojunk=False)
    codes = matcher.get_opcodes()
    stays = {i for kind, a, b, _, _ in codes if kind == "equal" for i in range(a, b)}
    spans = sentences(before)
    for kind, a, b, c, d in codes:
        if kind not in ("replace", "delete") or not _is_term(old[a:b], new[c:d]):
            continue
        start, end = next((span for span in spans if span[0] <= old[a].start < span[1]), (0, len(before)))
        inside = [i for i, token in enumerate(old) if start <= token.start < end]
        if b - 1 <= inside[-1] and _is_local([(i, _is_word(old[i]), i in stays) for i in inside], a, b):
            went = before[old[a].start : old[b - 1].end]
            came = after[new[c].start : new[d - 1].end] if c < d else ""
            told = _sentence_at(after, new[min(c, len(new) - 1)].start) if new else ""
            is_mark = went in MARKS
            yield _Change(went, "" if is_mark else came, a == inside[0], Example(before[start:end], told))


def _tokens(text: str) -> list[_Token]:
    folded = fold(text)
    return [_Token(*match.span(), match.group()) for match in _TOKEN.finditer(folded)]


def _is_term(old: Sequence[_Token], new: Sequence[_Token]) -> bool:
    """Whether words became words or nothing, or one of the marks another punctuation or nothing."""
    if len(old) == 1 and old[0].text in MARKS:
        return not any(_is_word(token) for token in new)
    return len(old) <= MAX_WORDS and len(new) <= MAX_WORDS and all(map(_is_word, [*old, *new]))


def _is_word(token: _Token) -> bool:
    return token.text[0].isalnum()


def _is_local(sentence: Sequence[tuple[int, bool, bool]], first: int, after: int) -> bool:
    """Whether what stands beside `first` up to `after` stays, a word among it, and half of the sentence's words.

    A sentence is given as place in the text, whether it is a word, and whether it stays, for each of its tokens.
    """
    beside = [t for t in sentence if t[0] < first][-CONTEXT:] + [t for t in sentence if t[0] >= after][:CONTEXT]
    words = [stays for _, is_word, stays in sentence if is_word]
    has_word = any(is_word for _, is_word, _ in beside)
    return has_word and all(stays for _, _, stays in beside) and 2 * sum(words) >= len(words)


def _sentence_at(text: str, place: int) -> str:
    return next((text[start:end] for start, end in sentences(text) if start <= place < end), "")


def _is_dictated(edit: Edit, brief: Brief) -> bool:
    """Whether numbers, words of name, offer or must-haves, or a fact of the brief are concerned on either side."""
    words = {word for side in edit for word in side.split()}
    product = brief.product
    given = fold(" ".join((product.name, brief.offer or "", *brief.must_include)))
    if any(c.isdigit() for word in words for c in word) or words & {*given.split(), *WORD.findall(given)}:
        return True
    facts = Terms(side for side in edit if side)
    return any(True for line in (product.category, *product.facts) for _ in facts.find(fold(line)))


def _is_settled(edit: Edit, made: Sequence[_Made], guide: Brand) -> bool:
    """Whether the guide has a rule on these words already, or one that this would contradict."""
    before = edit[0]
    if before in MARKS:
        limit = MARKS[before]
        return bool(getattr(guide.style, limit.name) == limit.value)
    locales = {None, *(m.locale for m in made)}
    prefer = [p for p in guide.lexicon.prefer if p.locale in locales]
    banned = guide.lexicon.banned
    words = [fold(item.term) for item in banned if item.match == "word"]
    words += [fold(term) for p in prefer for term in p.instead_of]
    known = Terms(words, [fold(item.term) for item in banned if item.match == "substring"])
    return before in {fold(p.say) for p in prefer} or any(True for side in edit for _ in known.find(side))


def _kept(terms: Iterable[str], texts: Iterable[Approved]) -> Mapping[str, int]:
    """How many approved texts hold each term, where the brief does not prescribe it."""
    search, kept = Terms(terms), Counter[str]()
    for _, brief, review in texts:
        copy = Copy(review.final_text or "", brief)
        hits = list(search.find(copy.folded))
        kept.update({t for s, e, t in hits if not any(start <= s and e <= end for start, end in copy.required)})
    return kept


def _suggestion(edit: Edit, made: Sequence[_Made], guide: Brand) -> Suggestion:
    locales = {m.locale for m in made}
    examples = dict.fromkeys(m.change.example for m in made)
    return Suggestion(
        brand=guide.id,
        before=_spelled([(m.change.before, m.change.opens) for m in made]),
        after=_spelled([(m.change.after, m.change.opens) for m in made]),
        locale=next(iter(locales)) if len(locales) == 1 and len(guide.locales) > 1 else None,
        examples=tuple(examples)[:MAX_EXAMPLES],
        draft_ids=tuple(m.draft_id for m in made),
    )


def _spelled(forms: Sequence[tuple[str, bool]]) -> str:
    """How a term is written inside a sentence; one that only ever opened sentences loses their capital."""
    within = Counter(text for text, opens in forms if not opens)
    if within:
        return min(within, key=lambda text: (-within[text], text))
    text = min(text for text, _ in forms)
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
