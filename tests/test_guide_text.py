"""A rule added to a guide's text: the guide gains the rule and nothing else, the text keeps every line."""

from pathlib import Path

import pytest
import yaml

from brand_voice.guide import BannedTerm, Brand, Preference
from brand_voice.guide_text import Rule, StyleLimit, ruled, with_rule
from brand_voice.shipped import shipped

RULES: tuple[Rule, ...] = (
    Preference(say="quiet", instead_of=("tranquil",)),
    Preference(say="get", instead_of=("pick up: now",)),
    Preference(say="coffee", instead_of=("yes",)),
    Preference(say="LSF", instead_of=("Lichtschutz",), locale="de-DE"),
    BannedTerm(term="it's “truly” #1", why="Taken out."),
    StyleLimit("max_exclamation_marks", 0),
    StyleLimit("max_question_marks", 0),
    StyleLimit("allow_em_dash", False),
)
HEAD = """\
id: b  # the id
name: B
one_liner: One.
voice_line: plain
locales: [en-US, de-DE]
channels: {sms: {max_chars: 160}}
"""
TAILS = {
    "nothing": "",
    "no last line end": "style: {contractions: true}",
    "lexicon without value": "lexicon:\n# words\nstyle:\n  allow_emoji: true\n",
    "empty lists": "lexicon: {prefer: [], banned: []}\nstyle: {}\n",
    "empty lists in blocks": "lexicon:\n  prefer: []   # none yet\n  banned: [] # none\nstyle: # later\n  notes: {}\n",
    "flow": "lexicon: {prefer: [{say: get, instead_of: [buy]}], banned: [{term: wow}]} # short\n",
    "flow over lines": """\
lexicon:
  prefer: [
    {say: get, instead_of: [buy]},
    {say: LSF, instead_of: [SPF], locale: de-DE},
  ]
style: {allow_em_dash: true}
""",
    "not indented": """\
lexicon:
  prefer:
  - say: get  # yes
    instead_of:
    - buy  # no
    # and more
  banned:
  - term: wow
    why: |
      Loud.

# end
style:
  allow_em_dash: true
""",
}


def parsed(text: str) -> Brand:
    said = yaml.safe_load(text)
    return Brand.model_validate({k: v for k, v in said.items() if v is not None})


def guides() -> dict[str, str]:
    files = [shipped("data") / "starter-brand" / "brand.yaml", *(shipped("data") / "brands").glob("*/brand.yaml")]
    return {Path(f).parent.name: Path(f).read_text(encoding="utf-8") for f in files} | {
        name: HEAD + tail for name, tail in TAILS.items()
    }


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("name", guides())
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_guide_gains_the_rule_and_nothing_else(name: str, rule: Rule, newline: str) -> None:
    text = guides()[name].replace("\n", newline)
    new = with_rule(text, rule)
    assert parsed(new) == ruled(parsed(text), rule)
    assert new.count("#") >= text.count("#")
    assert new.count("\r") in (0, new.count("\n"))


@pytest.mark.parametrize("name", ["tidewater", "vela", "fjellvik", "starter-brand", "not indented"])
def test_every_line_stays_as_it_was_and_where_it_was(name: str) -> None:
    text = guides()[name]
    for rule in RULES[:-3]:
        new = iter(with_rule(text, rule).splitlines())
        assert all(line in new for line in text.splitlines()), "the old lines are a subsequence of the new ones"


def test_an_item_joins_the_preference_that_says_the_same() -> None:
    text = with_rule(guides()["tidewater"], Preference(say="get", instead_of=("pick up",)))
    assert "        - grab yours\n        - pick up\n" in text
