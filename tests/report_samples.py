"""Texts for golden briefs with what the rules found, to make reports of."""

from collections.abc import Iterable

from brand_voice.brand import load_brand
from brand_voice.figures import Scored, Side
from brand_voice.records import AdapterManifest, Draft, Finding, Screening, Usage

BRAND = load_brand("tidewater")
ADAPTER = AdapterManifest(
    name="tidewater@2026-01-01-00000000",
    brand="tidewater",
    student="base-student",
    student_hash="h",
    snapshot="s",
    guide_version="g",
    voice_line="v",
    prompt_hash="p",
    training={},
    metrics={},
    versions={},
    files={},
    created_at="2026-01-01",
)


def finding(rule: str, severity: str = "block") -> Finding:
    return Finding(rule=rule, check=rule.partition(".")[0], severity=severity, message=f"{rule} is off")


def scored(
    index: int, text: str = "", *found: Finding, seconds: float | None = None, is_alone: bool = False, **draft: object
) -> Scored:
    """A text for one of the brand's briefs; every second one is about an unseen product."""
    brief = BRAND.briefs[index]
    fields = {"author": "student", "model": "m", "latency_ms": 100.0 + index, "usage": Usage(completion_tokens=10)}
    made = Draft(
        id=f"d{index}-{draft.get('candidate', 0)}",
        brand="tidewater",
        brief_id=brief.id,
        brief_hash=brief.hash,
        text=text,
        **(fields | draft),
    )
    checks = ("length", "truth", "style", "lexicon", *(["offer"] if brief.offer else []))
    screening = Screening(draft_id=made.id, guide_version="g", findings=found, checks=checks) if made.is_ok else None
    return Scored(brief, "test" if index % 2 else "unseen_product", made, screening, seconds=seconds, is_alone=is_alone)


def side(role: str, texts: Iterable[Scored], **more: object) -> Side:
    return Side(f"the {role}", role, list(texts), **more)


def unlike(index: int) -> str:
    """A text that resembles no other one's."""
    return " ".join(chr(97 + (index * k) % 26) * (2 + (index + k) % 5) for k in range(1, 12))
