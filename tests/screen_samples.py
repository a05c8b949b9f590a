"""Brands and briefs the screening tests share: a small guide, and the recorded brands read straight from `data/`."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from brand_voice.guide import Brand, Channel
from brand_voice.records import Brief, BriefProduct, Finding, RecordedReview, Recording
from brand_voice.screen.screening import Screener, screen
from brand_voice.shipped import shipped

RECORDED = ("tidewater", "fjellvik", "vela")


def a_brand(**changes: Any) -> Brand:
    guide: dict[str, Any] = {
        "id": "acme",
        "name": "Acme",
        "one_liner": "Things.",
        "voice_line": "plain",
        "locales": ("en-GB", "de-DE"),
        "channels": {"sms": Channel(max_chars=320), "post": Channel(max_chars=2_000)},
    }
    return Brand(**(guide | changes))


def a_brief(*facts: str, **changes: Any) -> Brief:
    brief: dict[str, Any] = {
        "id": "b-1",
        "brand": "acme",
        "channel": "post",
        "locale": "en-GB",
        "product": BriefProduct(name="Glo Stove", category="stoves", facts=facts),
        "key_message": "boils fast",
    }
    return Brief(**(brief | changes))


def found(text: str, brief: Brief | None = None, brand: Brand | None = None, **options: Any) -> dict[str, Finding]:
    """The findings by rule (the first of each)."""
    screening = screen(text, brief or a_brief(), brand or a_brand(), **options)
    return {finding.rule: finding for finding in reversed(screening.findings)}


def mended(text: str, finding: Finding) -> str:
    assert finding.start is not None and finding.end is not None and finding.suggestion is not None
    return text[: finding.start] + finding.suggestion + text[finding.end :]


class Recorded(NamedTuple):
    brand: Brand
    screener: Screener
    briefs: dict[str, Brief]
    texts: dict[tuple[str, int], str]
    reviews: list[RecordedReview]


@lru_cache
def recorded(brand_id: str) -> Recorded:
    folder = shipped("data") / "brands" / brand_id

    def lines(name: str) -> list[str]:
        return (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()

    brand = Brand.model_validate(yaml.safe_load((folder / "brand.yaml").read_text(encoding="utf-8")))
    recordings = [Recording.model_validate_json(line) for line in lines("teacher")]
    return Recorded(
        brand,
        Screener(brand, [json.loads(line)["name"] for line in lines("products")]),
        {brief.id: brief for brief in map(Brief.model_validate_json, lines("briefs"))},
        {(r.brief_id, r.candidate): r.text for r in recordings},
        [RecordedReview.model_validate_json(line) for line in lines("reviews")],
    )
