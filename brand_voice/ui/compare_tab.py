"""Compare: one brief, two texts, no names; a vote, then who wrote what, and what all votes say so far."""

import html
from collections.abc import Callable
from typing import NamedTuple

import gradio as gr

from brand_voice.errors import BrandVoiceError
from brand_voice.rates import Rate
from brand_voice.records import Choice, Draft
from brand_voice.settings import RECORDED
from brand_voice.ui.access import name_of
from brand_voice.ui.booth import Booth, Match, Pair
from brand_voice.ui.brief_form import Values, brand_choices
from brand_voice.ui.brief_view import BriefView, build_brief_view
from brand_voice.ui.copy_view import counter, highlighted, sentences, spoken, told
from brand_voice.ui.events import quick
from brand_voice.ui.parts import copy_text, quiet
from brand_voice.ui.session import STUDENT, TEACHER, Session
from brand_voice.vote import MARGIN, Result, Slice

CHOICES: dict[Choice, str] = {
    "left": "Left is better (1)",
    "right": "Right is better (2)",
    "tie": "Both good (3)",
    "both_bad": "Both bad (4)",
}
NOT_YET = "Press Next pair to read two texts for one brief. Who wrote which is shown after the vote."


class CompareTab(NamedTuple):
    """The tab's components."""

    brand: gr.Dropdown
    first: gr.Dropdown
    second: gr.Dropdown
    voter: gr.Textbox
    notice: gr.Textbox
    next: gr.Button
    brief: BriefView
    left: gr.HighlightedText
    right: gr.HighlightedText
    left_reveal: gr.Textbox
    right_reveal: gr.Textbox
    reason: gr.Textbox
    choices: dict[Choice, gr.Button]
    card: gr.HTML
    token: gr.State
    """What the booth keeps the pair under."""

    @property
    def desk(self) -> set[gr.Component]:
        """What changes from pair to pair."""
        texts = (self.left, self.right, self.left_reveal, self.right_reveal, self.reason)
        return {*self.brief.components, *texts, *self.choices.values(), self.notice, self.token}


def build_compare_tab(session: Session, page: gr.Blocks, tab_item: gr.Tab, remembered: gr.BrowserState) -> None:
    """Lay the tab out and wire it; `remembered` keeps the voter's name in the browser, as for reviews."""
    tab = _layout(session)
    handlers = _Handlers(session, Booth(session), tab)
    options, copywriter = quick(tab.token), session.access.needs("copywriter")
    who = {tab.brand, tab.first, tab.second, tab.voter}
    page.load(copywriter(name_of), remembered, tab.voter, api_name="compare_voter", **options)
    tab.voter.blur(copywriter(name_of), tab.voter, remembered, api_name="compare_remember", **options)
    choosers = {tab.first, tab.second, tab.card, tab.notice}
    tab_item.select(copywriter(handlers.contenders), who, choosers, api_name="compare_open", **options)
    tab.brand.input(copywriter(handlers.brand), who, {*choosers, *tab.desk}, api_name="compare_brand", **options)
    for side in (tab.first, tab.second):
        side.input(
            copywriter(handlers.match),
            who,
            {*tab.desk, tab.card},
            api_name=f"compare_{side.elem_id.removeprefix('compare-')}",
            **options,
        )
    asked = copywriter(handlers.next)
    tab.next.click(asked, who, {*tab.desk, tab.next}, api_name="compare_next", concurrency_limit=8, **options)
    for choice, button in tab.choices.items():
        button.click(
            copywriter(handlers.voter(choice)),
            {*who, tab.token, tab.reason},
            {*tab.desk, tab.card},
            api_name=f"compare_vote_{choice}",
            **options,
        )


def _layout(session: Session) -> CompareTab:
    with gr.Row():
        brand = gr.Dropdown(brand_choices(session), value=session.first_brand, label="Brand", elem_id="compare-brand")
        first = gr.Dropdown([], label="One", elem_id="compare-first")
        second = gr.Dropdown([], label="The other", elem_id="compare-second")
        voter = gr.Textbox(
            label="Your name",
            max_lines=1,
            placeholder="Stands on every vote",
            interactive=not session.access.has_login,
            elem_id="compare-voter",
        )
    notice = quiet("Notice", elem_id="compare-notice", notice=True)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300, elem_classes=["bv-card", "bv-facts"]):
            brief = build_brief_view()
            next_ = gr.Button("Next pair (N)", variant="primary", elem_id="compare-next")
        with gr.Column(scale=8, min_width=300):
            with gr.Row(equal_height=True):
                left, left_reveal = _text("left")
                right, right_reveal = _text("right")
            reason = gr.Textbox(label="Why (if you like)", max_lines=3, max_length=500, elem_id="compare-reason")
            with gr.Row():
                choices = {
                    choice: gr.Button(label, interactive=False, min_width=120, elem_id=f"compare-{choice}")
                    for choice, label in CHOICES.items()
                }
            card = gr.HTML("", padding=False, elem_id="compare-card")
    return CompareTab(
        brand=brand,
        first=first,
        second=second,
        voter=voter,
        notice=notice,
        next=next_,
        brief=brief,
        left=left,
        right=right,
        left_reveal=left_reveal,
        right_reveal=right_reveal,
        reason=reason,
        choices=choices,
        card=card,
        token=gr.State(""),
    )


def _text(side: str) -> tuple[gr.HighlightedText, gr.Textbox]:
    with gr.Column(elem_classes=["bv-card", "bv-text"], min_width=280):
        gr.HTML(f"<h2>{side.capitalize()}</h2>", padding=False, elem_classes="bv-title")
        text = copy_text(f"The text on the {side}", f"compare-{side}-text")
        reveal = quiet("Who wrote it", elem_id=f"compare-{side}-reveal", subdued=True)
    return text, reveal


class _Handlers:
    """The tab's handlers; open pairs are in the booth, votes in the store."""

    def __init__(self, session: Session, booth: Booth, tab: CompareTab) -> None:
        self._session = session
        self._booth = booth
        self._tab = tab

    def contenders(self, values: Values) -> Values:
        """Who can be compared now; what was chosen stays if it can."""
        tab, brand = self._tab, values[self._tab.brand]
        names = self._session.contenders(brand)
        first = values[tab.first] if values[tab.first] in names else names[0]
        others = [name for name in names if name != first]
        second = values[tab.second] if values[tab.second] in others else next(iter(others), None)
        offered = [(_label(name), name) for name in names]
        missing = "" if others else self._alone(brand)
        chosen = {tab.first: gr.Dropdown(offered, value=first), tab.second: gr.Dropdown(offered, value=second)}
        return chosen | {tab.notice: missing, tab.card: self._card(Match(brand, first, second or first, ""))}

    def brand(self, values: Values) -> Values:
        """Another brand: its contenders, and an empty desk."""
        return self._cleared() | self.contenders(values)

    def match(self, values: Values) -> Values:
        """Other contenders: an empty desk and their card."""
        return self._cleared() | {self._tab.card: self._card(self._match(values))}

    def next(self, values: Values, request: gr.Request) -> Values:
        """Two texts for the next brief."""
        match = self._match(values)._replace(voter=name_of(request, values[self._tab.voter]))
        try:
            token = self._booth.next(match)
            pair = self._booth.pair(token)
        except BrandVoiceError as error:
            return self._cleared() | {self._tab.notice: told(error)}
        return self._shown(pair) | {self._tab.token: token}

    def voter(self, choice: Choice) -> Callable[[Values, gr.Request], Values]:
        """A handler that stores a vote and shows who wrote what."""

        def vote(values: Values, request: gr.Request) -> Values:
            tab = self._tab
            try:
                pair = self._booth.vote(values[tab.token], choice, values[tab.reason] or "", voter=request.username)
            except BrandVoiceError as error:
                return {tab.notice: told(error)}
            return self._revealed(pair) | {tab.notice: "", tab.token: "", tab.card: self._card(pair.match)}

        return vote

    def _match(self, values: Values) -> Match:
        tab = self._tab
        return Match(values[tab.brand], values[tab.first], values[tab.second] or values[tab.first], "")

    def _shown(self, pair: Pair) -> Values:
        tab = self._tab
        return {
            **tab.brief.shown(pair.brief),
            tab.left: highlighted(pair.left.text),
            tab.right: highlighted(pair.right.text),
            tab.left_reveal: "",
            tab.right_reveal: "",
            tab.reason: "",
            tab.notice: "",
            **{button: gr.Button(interactive=True) for button in tab.choices.values()},
        }

    def _revealed(self, pair: Pair) -> Values:
        tab = self._tab
        return {
            tab.left_reveal: self._told_of(pair, pair.left),
            tab.right_reveal: self._told_of(pair, pair.right),
            **{button: gr.Button(interactive=False) for button in tab.choices.values()},
        }

    def _told_of(self, pair: Pair, draft: Draft) -> str:
        """Who wrote a text, how long it is and took, and what the rules say of it."""
        guide = self._session.folder(pair.brief.brand).guide
        findings = self._session.screen(draft.text, pair.brief).findings
        seconds = f"{draft.latency_ms / 1e3:.2g} s" if draft.latency_ms is not None else None
        lines = (draft.adapter or f"Teacher ({draft.model})", counter(draft.text, pair.brief, guide), seconds)
        return "\n".join([*filter(None, lines), f"Findings: {sentences(findings)}"])

    def _cleared(self) -> Values:
        tab = self._tab
        return {
            **tab.brief.shown(None),
            tab.left: [],
            tab.right: [],
            **dict.fromkeys((tab.left_reveal, tab.right_reveal, tab.reason, tab.notice, tab.token), ""),
            **{button: gr.Button(interactive=False) for button in tab.choices.values()},
        }

    def _alone(self, brand: str) -> str:
        try:
            self._session.writer(STUDENT, brand)
        except BrandVoiceError as error:
            return told(error)
        return ""

    def _card(self, match: Match) -> str:
        try:
            result = self._booth.result(match)
        except BrandVoiceError:
            return ""
        return card(result) if result.votes else f'<p class="bv-hint">{NOT_YET}</p>'


def card(result: Result) -> str:
    """The result card as HTML; every name in it is escaped."""
    rows = "".join(_slice_row(each) for each in result.channels)
    return f"""
<section class="bv-card bv-result" aria-label="Result so far">
<h2>{html.escape(_label(result.first))} against {html.escape(_label(result.second))}</h2>
<p class="bv-verdict">{_verdict(result)}</p>
{_bar(result.wins)}
<dl>
<dt>Won</dt><dd>{_told(result.wins)} of the decisive votes</dd>
<dt>Both good, both bad</dt><dd>{result.ties}, {result.both_bad}</dd>
<dt>Left chosen</dt><dd>{_told(result.left)}{_bias(result.left, "the side may sway votes")}</dd>
<dt>Longer chosen</dt><dd>{_told(result.longer)}{_bias(result.longer, "length may sway votes")}</dd>
</dl>
<table><thead><tr><th>Channel</th><th>Won</th><th>Undecided</th></tr></thead><tbody>{rows}</tbody></table>
</section>"""


def _verdict(result: Result) -> str:
    first = html.escape(_label(result.first))
    margin = f"{MARGIN * 100:.0f} points"
    if result.verdict is not None:
        return f"Decided: {first} is {result.verdict} at a margin of {margin}."
    return f"Open: about {result.votes_to_go} more decisive votes for a decision at a margin of {margin}."


def _bar(wins: Rate) -> str:
    """The interval as a bar from 0 to 100%, with marks for the share and for one half."""
    low, high = wins.interval
    share = wins.share if wins.of else 0.5
    return (
        '<div class="bv-interval" aria-hidden="true">'
        f'<span style="left:{low:.1%};width:{high - low:.1%}"></span>'
        f'<b style="left:{share:.1%}"></b><i></i></div>'
    )


def _told(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate} <small>{low:.0%} to {high:.0%}</small>" if rate.of else "none yet"


def _bias(rate: Rate, warning: str) -> str:
    low, high = rate.interval
    return f" · {warning}" if rate.of and not low <= 0.5 <= high else ""


def _slice_row(each: Slice) -> str:
    note = " <small>too few votes to conclude</small>" if each.is_descriptive else ""
    channel = html.escape(spoken(each.channel))
    return f"<tr><td>{channel}{note}</td><td>{each.wins}</td><td>{each.undecided}</td></tr>"


def _label(contender: str) -> str:
    return {TEACHER: "Teacher", RECORDED: "the recorded teacher"}.get(contender, contender)
