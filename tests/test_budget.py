"""What is reserved and what is spent never pass the cap, whoever asks."""

import pytest

from brand_voice.budget import Budget
from brand_voice.errors import CostCapError


def test_while_two_of_one_draft_are_under_way_both_count() -> None:
    budget = Budget(None, 2.5)
    numbers = [budget.begin(draft_id="same", endpoint="paid", reserved_usd=1.0) for _ in range(2)]
    budget.finish(numbers[0], outcome="ok", cost_usd=1.0)
    budget.stop()  # else it would wait for the other one
    assert budget._is_over(1.0)


def test_an_attempt_that_the_journal_refuses_reserves_nothing() -> None:
    budget = Budget(Budget(None, 1.0), 2.5)
    with pytest.raises(CostCapError):
        budget.begin(draft_id="a", endpoint="paid", reserved_usd=2.0)
    with pytest.raises(CostCapError, match="may cost"):
        budget.begin(draft_id="b", endpoint="paid", reserved_usd=2.0)
