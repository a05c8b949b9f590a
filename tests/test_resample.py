"""Intervals of paired differences, on samples whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brand_voice.resample import ends, interval


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(min_value=-1, max_value=1), min_size=1, max_size=60))
def test_an_interval_lies_between_the_extremes_and_is_the_same_each_time(values: list[float]) -> None:
    found = interval(np.array(values), 1.0)
    assert -1.0001 < found.low <= found.high < 1.0001
    assert found == interval(np.array(values), 1.0)


def test_the_interval_is_that_of_the_mean_s_standard_error() -> None:
    values = np.random.default_rng(0).normal(0.1, 0.2, 400).clip(-1, 1)
    found = interval(values, 1.0)
    error = 1.96 * float(np.sqrt((values.var() + 1 / 400) / 400))  # the two halves of briefs add 1/n to the variance
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.003)
    assert found.high == pytest.approx(values.mean() + error, abs=0.003)


def test_no_difference_in_few_briefs_is_no_proof_that_there_is_none() -> None:
    assert interval(np.zeros(50), 1.0).low < -0.03
    assert interval(np.zeros(1_000), 1.0).low > -0.005


def test_many_sets_have_the_intervals_that_each_has_alone() -> None:
    sets = np.random.default_rng(1).uniform(-1, 1, (30, 4))
    low, high = ends(sets)
    for column in range(4):
        found = interval(sets[:, column], 1.0)
        assert (found.low, found.high) == (pytest.approx(low[column]), pytest.approx(high[column]))
