"""Shares and their intervals."""

import pytest

from brand_voice.rates import Rate


def test_the_interval_is_the_published_one() -> None:
    assert Rate(hits=81, of=263).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)  # R. G. Newcombe 1998, table I
    assert Rate(hits=0, of=20).interval == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert Rate(hits=1, of=29).interval == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_nothing_counted_says_nothing() -> None:
    assert Rate(hits=0, of=0).interval == (0.0, 1.0)
    assert str(Rate(hits=0, of=0)) == "n/a"
