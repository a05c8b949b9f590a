"""Shares as counts: how many of how many, with the interval that the count allows.

Intervals are Wilson's: below a few hundred items the normal approximation is too narrow.
"""

import math

from brand_voice.records import Record

Z = 1.96
"""Normal quantile of a 95% interval."""


class Rate(Record):
    """How many of how many; `of` counts only what the question applies to."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """`hits / of`; not a number where nothing applies."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the share."""
        return self.interval_at(Z)

    def interval_at(self, z: float) -> tuple[float, float]:
        """Wilson's interval of the share for a normal quantile (E. B. Wilson 1927, "Probable Inference")."""
        if not self.of:
            return 0.0, 1.0
        spread = z * z / self.of
        middle = (self.share + spread / 2) / (1 + spread)
        half = z / (1 + spread) * math.sqrt(self.share * (1 - self.share) / self.of + spread / (4 * self.of))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        return f"{self.share:.0%} ({self.hits}/{self.of})" if self.of else "n/a"
