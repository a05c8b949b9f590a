"""The brand guide as frozen records: what `brand.yaml` holds.

Patterns are Python regular expressions, case-insensitive unless they say otherwise (`(?-i:...)`). They come from a
user's file, so whoever runs them does so under a timeout.
"""

from typing import Literal

from pydantic import Field, field_validator

from brand_voice.records import ChannelId, Id, Locale, Record, Text, content_hash


class Audience(Record):
    """People a brief may address."""

    id: str
    description: Text


class Trait(Record):
    """One trait of the voice, with examples on both sides of the line."""

    trait: Text
    means: Text
    do: tuple[Text, ...] = ()
    dont: tuple[Text, ...] = ()


class Preference(Record):
    """Say this, not those."""

    say: Text
    instead_of: tuple[Text, ...] = Field(min_length=1)
    locale: Locale | None = None


class BannedTerm(Record):
    """A term that never appears."""

    term: Text
    match: Literal["word", "substring"] = "word"
    why: str = ""


class Lexicon(Record):
    """The brand's words."""

    prefer: tuple[Preference, ...] = ()
    banned: tuple[BannedTerm, ...] = ()


class Style(Record):
    """Mechanical style; `notes` are for the teacher's prompt, not for rules."""

    contractions: bool = True
    oxford_comma: bool | None = None
    heading_case: Literal["sentence", "title"] = "sentence"
    max_exclamation_marks: int = Field(default=0, ge=0)
    max_question_marks: int | None = Field(default=None, ge=0)
    allow_emoji: bool = False
    max_hashtags: int = Field(default=0, ge=0)
    max_sentence_words: int | None = Field(default=None, ge=3)
    allow_em_dash: bool = True
    notes: dict[str, str] = Field(default_factory=dict)


class RestrictedClaim(Record):
    """A claim that needs a fact: `pattern` in the copy blocks, unless `unless_fact` matches the brief's facts."""

    id: str
    pattern: str
    unless_fact: str | None = None
    message: Text


class Requirement(Record):
    """A condition on the copy: where `when` matches, `must_include` must match too."""

    id: str
    when: str
    must_include: str
    min_channel_chars: int = Field(default=0, ge=0)
    """Applies to channels whose limit is at least this long."""
    message: Text


class Channel(Record):
    """Length and guidance of one channel; limits are in characters (code points)."""

    max_chars: int = Field(ge=1)
    min_chars: int = Field(default=0, ge=0)
    guidance: str = ""


class Brand(Record):
    """A brand guide."""

    id: Id
    name: Text
    one_liner: Text
    voice_line: Text
    """One line that stands in every student prompt."""
    locales: tuple[Locale, ...] = Field(min_length=1)
    audience: tuple[Audience, ...] = ()
    voice: tuple[Trait, ...] = ()
    lexicon: Lexicon = Lexicon()
    style: Style = Style()
    approved_claims: tuple[str, ...] = ()
    """Claims the copy may make without a fact in the brief."""
    restricted_claims: tuple[RestrictedClaim, ...] = ()
    required: tuple[Requirement, ...] = ()
    channels: dict[ChannelId, Channel] = Field(min_length=1)

    @field_validator("channels")
    @classmethod
    def _minimum_below_maximum(cls, channels: dict[str, Channel]) -> dict[str, Channel]:
        for name, channel in channels.items():
            if channel.min_chars > channel.max_chars:
                raise ValueError(f"{name}: min_chars {channel.min_chars} is above max_chars {channel.max_chars}")
        return channels

    @property
    def version(self) -> str:
        """Content hash of the guide; findings and snapshots carry it."""
        return content_hash(self.model_dump(mode="json"))
