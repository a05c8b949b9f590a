"""The queue's orders, and who holds what of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from test_store import WARNING, a_brief, a_draft, a_review

from brand_voice.errors import ConflictError, StoreError
from brand_voice.records import Review, Screening
from brand_voice.store import queue
from brand_voice.store.queue import Narrowed
from brand_voice.store.store import Store

UNSURE = Narrowed(order="least_certain")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "x.db") as opened:
        opened.save_brand_briefs([a_brief()])
        yield opened


def ids(items: tuple[queue.QueueItem, ...]) -> list[str]:
    return [item.draft.id for item in items]


def walked(store: Store, narrowed: Narrowed, way: Literal["after", "before"], start: list[str]) -> list[str]:
    """The queue claim by claim, from a draft or from its head."""
    found = [*start]
    while item := store.claim("tidewater", "a", narrowed=narrowed, **({way: found[-1]} if found else {})):
        found.append(item.draft.id)
    return found


@settings(max_examples=30, deadline=None)
@given(
    drafts=st.lists(
        st.tuples(st.sampled_from([None, -0.5, -0.25, -2.0]), st.sampled_from(["teacher", "student"])), max_size=12
    ),
    limit=st.integers(1, 5),
)
def test_the_least_certain_come_first_and_of_equals_the_oldest(tmp_path_factory, drafts, limit: int):
    with Store.open(tmp_path_factory.mktemp("queue") / "x.db") as store:
        store.save_brand_briefs([a_brief()])
        made = [a_draft(n, mean_logprob=value, author=author) for n, (value, author) in enumerate(drafts)]
        store.save_drafts(made)
        for author in (None, "student"):
            narrowed = Narrowed(order="least_certain", author=author)
            fit = [draft for draft in made if author in (None, draft.author)]
            wanted = [d.id for d in sorted(fit, key=lambda d: 1 if d.mean_logprob is None else d.mean_logprob)]
            paged: list[str] = []
            while page := store.queue("tidewater", limit=limit, after=paged[-1] if paged else None, narrowed=narrowed):
                paged += ids(page)
            assert paged == wanted == walked(store, narrowed, "after", [])
            assert not wanted or walked(store, narrowed, "before", wanted[-1:]) == wanted[::-1]
            places = [store.place("tidewater", id_, narrowed=narrowed) for id_ in paged]
            assert [(p.position, p.total) for p in places] == [(n, len(paged)) for n in range(1, len(paged) + 1)]
            assert [p.previous for p in places] == [None, *paged[:-1]][: len(paged)]
            assert [p.next for p in places] == [*paged[1:], None][: len(paged)]


def test_an_order_alone_leaves_nothing_out():
    assert not UNSURE.leaves_out
    assert UNSURE._replace(text="dry").leaves_out


@pytest.mark.parametrize(
    "narrowed", [UNSURE, UNSURE._replace(author="student", worst="none"), Narrowed(locale="de-DE")]
)
def test_going_on_and_counting_read_an_index_in_order(store: Store, narrowed: Narrowed):
    store.save_drafts([a_draft(1, mean_logprob=-1), a_draft(2)])
    plans: list[str] = []

    def explain(connection, cursor, statement, parameters, context, many) -> None:
        if "drafts.failure IS NULL" in statement:
            raw = connection.connection.cursor()
            plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    event.listen(store._database._engine, "before_cursor_execute", explain)
    store.claim("tidewater", "a", narrowed=narrowed, after="d-1")
    store.claim("tidewater", "a", narrowed=narrowed, before="d-1")
    store.place("tidewater", "d-1", narrowed=narrowed)
    assert all("INDEX drafts_waiting" in step for step in plans if step.startswith("SEARCH drafts"))
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN drafts") for step in plans)


def test_lists_of_two_holders_share_nothing_and_are_free_once_given_up(store: Store):
    store.save_drafts([a_draft(number) for number in range(5)])
    assert ids(store.claim_list("tidewater", "a", limit=3)) == ["d-0", "d-1", "d-2"]
    assert ids(store.claim_list("tidewater", "b", limit=3)) == ["d-3", "d-4"]
    assert store.claim("tidewater", "c") is None
    assert ids(store.claim_list("tidewater", "a", limit=1)) == ["d-0"], "one list at a time"
    assert ids(store.claim_list("tidewater", "c", limit=9)) == ["d-1", "d-2"]
    store.release("c")
    assert ids(store.claim_list("tidewater", "a", narrowed=Narrowed(worst="none"), limit=3)) == []
    assert ids(store.claim_list("tidewater", "c", limit=9)) == ["d-0", "d-1", "d-2"], "an empty list holds nothing"


def test_a_renewed_lease_lasts_and_one_that_ran_out_counts_until_somebody_is_given_its_draft(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    store.save_drafts([a_draft(1), a_draft(2)])
    monkeypatch.setattr(queue, "LEASE_S", -1)
    assert ids(store.claim_list("tidewater", "a", limit=2)) == ["d-1", "d-2"]
    monkeypatch.undo()
    assert store.hold("d-1", "b") is not None
    assert store.renew("a") == set(), "gone with the first lease given to somebody else"
    assert store.hold("d-2", "a") is not None
    monkeypatch.setattr(queue, "LEASE_S", -1)
    store.hold("d-2", "a")
    monkeypatch.undo()
    assert store.renew("a") == {"d-2"}
    assert store.hold("d-2", "b") is None
    assert store.renew("nobody") == set()


def test_of_many_verdicts_those_whose_turn_it_is_are_stored_and_the_others_named(store: Store):
    drafts = [a_draft(number) for number in range(3)]
    store.save_drafts(drafts)
    store.add_review(a_review(drafts[1], reviewer="bob"))
    refused = store.add_reviews_in_turn([a_review(draft) for draft in drafts])
    assert set(refused) == {"d-1"}
    assert isinstance(refused["d-1"], ConflictError)
    assert [store.reviews(draft.id)[-1].reviewer for draft in drafts] == ["ann", "bob", "ann"]
    undo = [Review(draft_id=draft.id, revision=2, verdict="undo", reviewer="ann") for draft in drafts]
    with pytest.raises(StoreError, match="would follow"):
        store.add_reviews_in_turn([undo[0], undo[2].model_copy(update={"revision": 3})])
    assert not store.waits("d-0"), "none is stored where one is out of order"
    assert store.add_reviews_in_turn(undo) == {}
    assert store.waiting("tidewater") == 3


def test_items_come_by_id_with_their_last_screening(store: Store):
    store.save_drafts([a_draft(1), a_draft(2, text="", failure="empty")])
    store.save_screening(Screening(draft_id="d-1", guide_version="g", findings=(WARNING,)))
    found = store.items(["d-1", "d-2", "d-9"])
    assert set(found) == {"d-1"}
    assert found["d-1"].screening.findings == (WARNING,)
    assert store.waiting("tidewater", narrowed=Narrowed(worst="warn")) == 1
