"""What holds of entries: in any order, however often, whoever wrote them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.reviews.review_log import Entry
from radcbir_core.collections.reviews.review_state import SUGGESTED, state_of


def said(number: int, kind: str = "tag", text: str = "artifact", *, by="anna", image="a", hit="", of=-1) -> Entry:
    """An entry whose id and time are made of a number."""
    return Entry(
        f"{number:032x}",
        f"2026-01-01T00:00:{number % 60:02}.000000+00:00",
        by,
        kind,
        "" if kind == "withdrawal" else image,
        hit_id=hit,
        text="" if kind == "withdrawal" else text,
        column="anatomy" if kind == "correction" else "",
        of=f"{of:032x}" if of >= 0 else "",
    )


def test_a_tag_is_there_until_it_is_taken_back() -> None:
    entries = [said(1), said(2, text="Artifact", by="ben"), said(3, "note", "see left"), said(4, hit="b", text="odd")]
    state = state_of(entries)
    assert state.of("a").tag_names == ("artifact",)
    assert [entry.by for entry in state.of("a").tagged("ARTIFACT")] == ["anna", "ben"]
    assert [entry.text for entry in state.of("a").notes] == ["see left"]
    assert state.of("a", "b").tag_names == ("odd",)
    assert state.of("z").entries == ()
    assert list(state.tags.items()) == [("artifact", 1), ("odd", 1)]
    assert (state.tags, state.people) == ({"odd": 1, "artifact": 1}, {"anna": 3, "ben": 1})
    assert list(state.reviews) == [("a", "b"), ("a", "")]  # last spoken of first
    assert state.of("a").people() == ("anna", "ben")
    without = state_of([*entries, said(5, "withdrawal", of=1)])
    assert without.of("a").tag_names == ("Artifact",)
    assert state_of([*entries, said(5, "withdrawal", of=1), said(6, "withdrawal", of=2)]).of("a").tag_names == ()


def test_who_adds_a_tag_while_somebody_takes_it_back_has_added_it() -> None:
    """Ben has seen Anna's tag only, so that his withdrawal is of that one, also where his clock is ahead."""
    assert state_of([said(1), said(2, by="anna"), said(50, "withdrawal", by="ben", of=1)]).of("a").tag_names


def test_the_latest_correction_counts_and_all_are_there() -> None:
    state = state_of([said(2, "correction", "hand"), said(1, "correction", "chest", by="ben")])
    assert [entry.text for entry in state.of("a").corrections] == ["chest", "hand"]


def test_tags_are_offered_in_an_order_that_giving_one_does_not_change() -> None:
    before = state_of([said(1, text="mine"), said(2, text="yours")]).offered_tags()
    assert before == [*SUGGESTED, "mine", "yours"]
    given = [said(number, text=tag, image="z") for number, tag in enumerate(reversed(before), 3)]
    assert state_of([said(1, text="mine"), said(2, text="yours"), *given]).offered_tags() == before


actions = st.lists(
    st.tuples(
        st.sampled_from(["tag", "note", "correction", "withdrawal"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["", "c"]),
        st.integers(0, 11),
    ),
    max_size=12,
)


@given(actions, actions, st.randoms(use_true_random=False))
def test_any_interleaving_of_two_writers_gives_the_same(first, second, random) -> None:
    """Compared with sets, which know nothing of order: what was said, less what was taken back."""
    writers = [
        [
            said(2 * number + turn, kind, f"text {of % 3}", by=by, image=image, hit="" if kind == "correction" else hit)
            if kind != "withdrawal"
            else said(2 * number + turn, kind, by=by, of=of)
            for number, (kind, image, hit, of) in enumerate(writer)
        ]
        for turn, (by, writer) in enumerate([("anna", first), ("ben", second)])
    ]
    rest = [list(writer) for writer in writers]
    merged = []
    while any(rest):
        merged.append(random.choice([writer for writer in rest if writer]).pop(0))
    twice = [*merged, *random.sample(merged, len(merged) // 2)]
    random.shuffle(twice)
    expected = state_of([*writers[0], *writers[1]])
    assert state_of(merged) == state_of(twice) == expected
    taken_back = {entry.of for writer in writers for entry in writer}
    holding = {entry.id for writer in writers for entry in writer if entry.kind != "withdrawal"} - taken_back
    assert {entry.id for entry in expected.entries} == holding
