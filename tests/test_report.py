"""The report's page, its charts and its card: what stands where, and nothing that a text could do to them."""

import math
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import BrowserContext
from pydantic import BaseModel
from written_report import a_difference, a_report, a_side

from brand_voice.evidence import Report
from brand_voice.report import charts, words
from brand_voice.report.card import card, plain
from brand_voice.report.charts import Choice, Frame, Generation, Interval
from brand_voice.report.page import page

HOSTILE = (
    "<script>alert(1)</script> ${7*7} {{ 7*7 }} \" ' `x` onload=x [a](javascript:x) | \u202egro \x00 www.x.org @you"
)
BARE = a_report(
    votes=None, judge=None, effort=(), economics=None, cascade=(), pairs=(), slices=(), differences=(), notes=()
)
VOID = {"meta", "wbr", "br", "hr"}


class Seen(HTMLParser):
    """Tags, attributes and text of a page; complains of tags that are not closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.headings: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.text += " " if tag in ("th", "td", "dt", "dd", "p") else ""

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if self._open and self._open[-1] in ("h1", "h2"):
            self.headings.append(data)


def poisoned(value: Any, kind: Any = str) -> Any:
    """The same record with something hostile at the end of every text that is not one of a few words."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        told = {name: poisoned(getattr(value, name), field.annotation) for name, field in fields.items()}
        return type(value).model_construct(**told)
    if isinstance(value, str):
        return value if get_origin(kind) is Literal else f"{value} {HOSTILE}"
    if isinstance(value, dict):
        return {poisoned(key): poisoned(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(poisoned(item, *get_args(kind)[:1]) for item in value)
    return value


def test_the_decision_stands_first_and_says_why() -> None:
    seen = Seen(page(a_report()))
    assert seen.headings[:2] == ["Not yet", "The decision"]
    assert seen.text.index("26.8 points fewer") < seen.text.index("social (47%")
    assert "Worn golden set" in seen.text
    excepted = a_report(decision="ready_except", sentence="Ready, except for taglines. Overall no worse.")
    assert words.reason(excepted) == "Taglines. Overall no worse."
    fresh = Seen(page(a_report(decision="ready", exceptions=(), decided_before=4)))
    assert fresh.headings[0] == "Ready"
    assert "Worn golden set" not in fresh.text


def test_the_page_needs_no_script_and_loads_nothing() -> None:
    seen = Seen(page(a_report()))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(seen.tags)
    assert not {name for name in seen.attributes if name.startswith("on") or name in ("src", "href", "srcset")}
    assert "url(" not in page(a_report())


def test_nothing_hostile_in_any_text_changes_the_page_or_its_charts() -> None:
    clean, hostile = Seen(page(a_report())), page(poisoned(a_report()))
    seen = Seen(hostile)
    assert (seen.tags, seen.attributes) == (
        clean.tags + Counter(wbr=seen.tags["wbr"] - clean.tags["wbr"]),
        clean.attributes,
    )
    assert seen.text.count("<script>alert(1)</script> ${7*7} {{ 7*7 }} \" '") > 50, "all of it is there to read"
    assert not set("\u202e\x00") & set(hostile)
    assert "[U+202E]gro [U+0000]" in seen.text


def test_nothing_hostile_in_any_text_is_markup_on_the_card() -> None:
    hostile = card(poisoned(a_report()))
    assert len(hostile.splitlines()) == len(card(a_report()).splitlines()) <= 16
    for mark in ("<script", "[a]", "\u202e", "\x00", " www.", " @you", " `x`", "javascript:x) |"):
        assert mark not in hostile
    assert hostile.splitlines()[-1] == "    brand-voice evaluate --samples 1"


@given(st.text())
def test_a_text_on_the_card_is_one_line_without_marks(text: str) -> None:
    told = plain(text)
    assert len(told.splitlines()) <= 1
    assert not any(told[i] in "<>[]|*_`" and told[i - 1 : i] != "\\" for i in range(len(told)))


def test_the_card_says_decision_differences_facts_cost_and_command() -> None:
    told = card(a_report())
    assert told.startswith("**Not yet** 26.8 points fewer texts without a blocking finding")
    assert "| No blocking finding | 69% | 96% | −26.8 (−33.4 to −20.3) | −5.0 | worse |" in told
    assert "name 99% (141/142); offer 97% (35/36)" in told
    assert "candidate $0.0061 (measured), reference (teacher) $2.98 (recorded)" in told
    assert f"--adapter {a_report().adapter} --against teacher --samples 1" in told


def test_a_section_without_data_says_why_and_how_to_get_it() -> None:
    bare = BARE.model_copy(update={"sides": tuple(s.model_copy(update={"voice": None}) for s in BARE.sides)})
    seen = Seen(page(bare))
    for said in ("Compare tab", "[teachers.NAME]", "brand-voice review", "it takes a teacher", "no other brand"):
        assert said in seen.text
    assert seen.headings[1:] == Seen(page(a_report())).headings[1:], "every section keeps its place"
    assert seen.tags["figure"] == seen.tags["article"] == 0
    empty = Seen(page(bare.model_copy(update={"sides": ()}))).text
    for slip in ("nan", "None", "inf%"):
        assert slip not in seen.text + empty


def test_what_was_not_measured_is_neither_a_number_nor_a_chart() -> None:
    unknown = a_difference("voice", math.nan, math.nan, math.nan, math.nan)
    seen = Seen(page(a_report(differences=(unknown,))))
    assert "not measured" in seen.text
    assert "nan" not in seen.text
    unpriced = tuple(p.model_copy(update={"usd_per_thousand": None}) for p in a_report().cascade)
    assert "share of texts by the teacher" in Seen(page(a_report(cascade=unpriced))).text


def test_small_slices_are_marked_and_large_ones_are_not() -> None:
    text = " ".join(Seen(page(a_report())).text.split())
    assert "social descriptive 18" in text
    assert "email subject 60" in text


def test_every_figure_of_cost_and_speed_says_what_it_rests_on() -> None:
    text = " ".join(Seen(page(a_report())).text.split())
    for told in (
        "$0.0061 measured",
        "$2.98 recorded",
        "812 ms measured",
        "20.4 texts/s measured",
        "2 accepted texts comp",
    ):
        assert told in text


def test_a_judge_that_may_not_decide_says_why() -> None:
    judge = a_report().judge
    assert judge is not None
    doubtful = judge.model_copy(update={"may_gate": False, "kappa": 0.2})
    assert "Not to be relied on: its kappa with people is below 0.4" in page(a_report(judge=doubtful))
    failed = page(a_report(judge=None, notes=("Judge: no credit.",)))
    assert failed.count("Judge: no credit.") == 2, "in its section, and below"
    few = doubtful.model_copy(update={"with_people": judge.with_people.model_copy(update={"hits": 9, "of": 12})})
    assert "people voted on 12 of its pairs, and 50 are needed" in page(a_report(judge=few))


def test_a_side_in_two_roles_stands_once_and_the_reference_says_who_it_is() -> None:
    report = a_report()
    twice = (*report.sides, report.sides[1].model_copy(update={"role": "teacher"}), a_side("base", "base", 90))
    assert [s.role for s in words.ordered(report.model_copy(update={"sides": twice}))] == [
        "candidate",
        "reference",
        "base",
        "echo",
    ]
    assert words.role(report, report.sides[1]) == "Reference (teacher)"
    assert words.role(report.model_copy(update={"against": "x@1"}), report.sides[1]) == "Reference"


def coordinates(svg: str) -> Iterator[tuple[ElementTree.Element, float, float]]:
    """Whatever has a place in a chart."""
    for node in ElementTree.fromstring(svg).iter():
        x, y = node.get("x", node.get("cx")), node.get("y", node.get("cy"))
        if x is not None and y is not None:
            yield node, float(x), float(y)


SHARES = st.floats(min_value=0, max_value=1)
CHANGES = st.floats(min_value=-1, max_value=1)
WIDTHS = st.sampled_from([charts.WIDE, charts.NARROW])


@given(WIDTHS, st.lists(st.tuples(CHANGES, CHANGES, CHANGES), min_size=1, max_size=6), st.text())
def test_intervals_stay_on_the_chart_whatever_they_are(width: int, rows: list[tuple[float, ...]], label: str) -> None:
    ordered = [sorted(row) for row in rows]
    made = [Interval(label, low, point, high, -0.05, "undecided", "told") for low, point, high in ordered]
    frame = Frame("k", label, label, width)
    for node, x, y in coordinates(charts.intervals(frame, made, zero=0, axis="a", unit="points")):
        assert 0 <= x <= width, ElementTree.tostring(node)
        assert 0 <= y <= 52 + 58 * len(rows)


@given(WIDTHS, st.lists(st.tuples(SHARES, SHARES, st.none() | SHARES), min_size=1, max_size=9))
def test_generations_and_thresholds_stay_on_the_chart(
    width: int, rows: list[tuple[float, float, float | None]]
) -> None:
    made = [Generation(a, a / 2, (a + 1) / 2, b, c, str(i), i == 0) for i, (a, b, c) in enumerate(rows)]
    points = [Choice(100 * a, b, b / 2, (b + 1) / 2, str(i)) for i, (a, b, _) in enumerate(rows)]
    frame = Frame("k", "t", "d", width)
    drawn = [charts.generations(frame, made)]
    drawn += [charts.choices(frame, points, axis="a", is_money=is_money) for is_money in (True, False)]
    for svg in drawn:
        assert all(0 <= x <= width and 0 <= y <= 330 for _, x, y in coordinates(svg))


def test_a_chart_tells_states_apart_by_shape_and_describes_itself() -> None:
    svg = Seen(page(a_report()))
    assert "No blocking finding: −26.8 (−33.4 to −20.3) points, margin −5.0: worse" in " ".join(svg.text.split())
    row = Interval("x", -0.02, 0, 0.02, -0.05, "no worse", "told")
    drawn = {
        state: charts.intervals(Frame("k", "t", "d"), [row._replace(state=state)], zero=0, axis="a", unit="points")
        for state in ("no worse", "undecided", "worse")
    }
    assert "<circle" in drawn["no worse"]
    assert "<circle" in drawn["undecided"]
    assert "<circle" not in drawn["worse"]
    assert len(set(drawn.values())) == 3


def test_a_teacher_is_joined_to_no_generation() -> None:
    rows = [Generation(0.8, 0.7, 0.9, 0.1, None, "T", True), Generation(0.4, 0.3, 0.5, 0.3, None, "1", False)]
    thick = 'stroke-width="2"/>'
    lone = charts.generations(Frame("k", "t", "d"), rows)
    joined = charts.generations(Frame("k", "t", "d"), [row._replace(is_teacher=False) for row in rows])
    assert joined.count(thick) - lone.count(thick) == 1 + 0 * len(rows)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_read_on_any_screen(browser: BrowserContext, tmp_path: Path, width: int, scheme: Any) -> None:
    (tmp_path / "report.html").write_text(page(poisoned(a_report()) if width == 1280 else a_report()), encoding="utf-8")
    shown = browser.new_page()
    complaints: list[str] = []
    shown.on("console", lambda message: complaints.append(message.text))
    shown.set_viewport_size({"width": width, "height": 900})
    shown.emulate_media(color_scheme=scheme)
    shown.goto((tmp_path / "report.html").as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert shown.locator("figure svg:visible").count() == 4
    found = Axe().run(shown).response["violations"]
    assert [each["id"] for each in found] == []
    assert complaints == []
    shown.close()


def test_a_report_read_back_from_its_file_makes_the_same_page() -> None:
    unknown = a_difference("diversity", math.nan, math.nan, math.nan, math.nan)
    report = a_report(differences=(*a_report().differences, unknown))
    assert page(Report.model_validate_json(report.model_dump_json())) == page(report)
