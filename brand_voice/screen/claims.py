"""Checks `claims` and `requirements`: the brand's own patterns.

A restricted claim blocks unless a fact of the brief carries it, or the words stand inside a claim that the brand has
approved. A requirement blocks where its condition holds and its words are missing.
"""

from collections.abc import Iterator

from brand_voice.errors import BrandError
from brand_voice.guide import Brand, Requirement, RestrictedClaim
from brand_voice.records import Finding
from brand_voice.screen.patterns import Pattern
from brand_voice.screen.text import Copy, fold, occurrences


class Claims:
    """The brand's restricted claims, compiled."""

    def __init__(self, brand: Brand) -> None:
        """Compile.

        Raises:
            BrandError: a pattern is no regular expression, or matches the empty text and thereby everything.
        """
        self._rules: list[tuple[RestrictedClaim, Pattern, Pattern | None]] = []
        self._approved = [fold(claim) for claim in brand.approved_claims]
        for claim in brand.restricted_claims:
            pattern = Pattern(claim.pattern, rule=claim.id, brand=brand.id)
            if pattern.is_in(""):
                raise BrandError(
                    f"{brand.id}: the pattern of rule {claim.id} matches an empty text: {claim.pattern!r}",
                    remedy=f"Make some part of the pattern of {claim.id} obligatory.",
                )
            fact = Pattern(claim.unless_fact, rule=claim.id, brand=brand.id) if claim.unless_fact else None
            self._rules.append((claim, pattern, fact))
        self.has_rules = bool(self._rules)

    def check(self, copy: Copy) -> Iterator[Finding]:
        """Findings on claims without a fact.

        Raises:
            BrandError: a pattern ran into its timeout.
        """
        approved = [span for claim in self._approved for span in occurrences(copy.folded, claim)]
        for claim, pattern, fact in self._rules:
            spans = pattern.spans(copy.text)
            if not spans or (fact and fact.is_in(copy.brief.said())):
                continue
            for start, end in spans:
                if not any(a <= start and end <= b for a, b in approved):
                    yield Finding(
                        rule=f"claims.{claim.id}",
                        check="claims",
                        severity="block",
                        message=claim.message,
                        start=start,
                        end=end,
                    )


class Requirements:
    """The brand's conditional requirements, compiled."""

    def __init__(self, brand: Brand) -> None:
        """Compile.

        Raises:
            BrandError: a pattern is no regular expression.
        """
        self._rules = [
            (
                requirement,
                Pattern(requirement.when, rule=requirement.id, brand=brand.id),
                Pattern(requirement.must_include, rule=requirement.id, brand=brand.id),
            )
            for requirement in brand.required
        ]
        self._limits = {name: channel.max_chars for name, channel in brand.channels.items()}

    def applying(self, channel: str) -> list[tuple[Requirement, Pattern, Pattern]]:
        """The requirements that hold in a channel of this length."""
        limit = self._limits.get(channel, 0)
        return [rule for rule in self._rules if limit >= rule[0].min_channel_chars]

    def check(self, copy: Copy) -> Iterator[Finding]:
        """Findings on words a condition asks for.

        Raises:
            BrandError: a pattern ran into its timeout.
        """
        for requirement, when, must_include in self.applying(copy.brief.channel):
            spans = when.spans(copy.text)
            if spans and not must_include.is_in(copy.text):
                yield Finding(
                    rule=f"requirements.{requirement.id}",
                    check="requirements",
                    severity="block",
                    message=requirement.message,
                    start=spans[0][0],
                    end=spans[0][1],
                )
