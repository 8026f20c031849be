"""Events: their bytes, and folding in every order."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.events import BODY, decode_event, encode_event, event_message, fold, is_event_message
from gittrack.core.ids import EventId
from gittrack.core.records import Event, Person, Subject
from gittrack.errors import CorruptRecordError, UnsupportedFormatError

RUN = Subject("run", "ab" * 16)
ANN, BOB = Person("Ann", "ann@example.com"), Person("Bob", "bob@example.com")


def event(
    number: int,
    value: str | None,
    *replaces: str,
    kind: str = "name",
    key: str = "",
    time: int | None = None,
    author: Person = ANN,
) -> Event:
    id = EventId(f"{number:032x}")
    return Event(id, kind, RUN, number if time is None else time, author, "ann", key, value, tuple(sorted(replaces)))


def id_of(number: int) -> str:
    return f"{number:032x}"


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.integers(0, 10**13),
    st.lists(st.integers(0, 9).map(id_of), unique=True, max_size=4),
)
def test_an_event_round_trips(key: str, value: str | None, time: int, replaces: list[str]) -> None:
    one = event(7, value, *replaces, kind="tag", key=key, time=time)
    assert decode_event(encode_event(one)) == one
    assert is_event_message(event_message(one))
    assert "\n" not in event_message(one).split("\n\n", 1)[0]


@given(st.permutations(range(6)))
def test_folding_does_not_depend_on_the_order_of_arrival(order: list[int]) -> None:
    events = [
        event(1, "a", BODY),
        event(2, "b", id_of(1)),
        event(3, "c", id_of(1), time=1),
        event(4, "x", kind="tag", key="k"),
        event(5, None, id_of(4), kind="tag", key="k"),
        event(6, "hello", kind="comment"),
    ]
    folded = fold({("name", ""): "first"}, [events[i] for i in order])
    assert folded == fold({("name", ""): "first"}, events)
    assert folded.value("name") == "b"
    assert folded.conflicts == (("name", ""),)
    assert folded.tags == {}
    assert [comment.value for comment in folded.sets["comment"]] == ["hello"]


def test_the_body_counts_until_something_replaces_it() -> None:
    assert fold({("name", ""): "first"}, []).value("name") == "first"
    assert fold({("name", ""): "first"}, []).survivors("name") == (BODY,)
    assert fold({("name", ""): "first"}, [event(1, "second", BODY)]).value("name") == "second"


def test_a_clock_in_the_year_9999_wins_only_until_somebody_replaces_its_value() -> None:
    far = event(1, "future", BODY, time=250_000_000_000_000)
    later = event(2, "present", id_of(1), time=1000)
    assert fold({}, [far]).value("name") == "future"
    assert fold({}, [far, later]).value("name") == "present"


def test_two_who_rename_at_once_conflict_and_the_next_who_saw_both_settles_it() -> None:
    one, other = event(1, "one", BODY), event(2, "other", BODY)
    both = fold({("name", ""): "first"}, [one, other])
    assert both.value("name") == "other"
    assert set(both.survivors("name")) == {one.id, other.id}
    settled = fold({("name", ""): "first"}, [one, other, event(3, "settled", *both.survivors("name"), time=0)])
    assert settled.value("name") == "settled"
    assert settled.conflicts == ()


def test_events_that_replace_each_other_in_a_circle_still_give_one_value_in_every_order() -> None:
    circle = [event(1, "a", id_of(2)), event(2, "b", id_of(1))]
    values = {fold({}, order).value("name") for order in itertools.permutations(circle)}
    assert values == {"b"}


def test_two_events_under_one_id_give_the_same_state_in_every_order() -> None:
    pair = [event(1, "a"), event(1, "b")]
    assert len({fold({}, order).value("name") for order in itertools.permutations(pair)}) == 1


@pytest.mark.parametrize("kind", ["comment", "approval"])
def test_a_comment_and_an_approval_are_withdrawn_only_by_their_author(kind: str) -> None:
    said = event(1, "hm", kind=kind, author=ANN)
    by_other = event(2, None, id_of(1), kind=kind, author=BOB)
    assert fold({}, [said, by_other]).sets[kind] == (said,)
    assert fold({}, [said, by_other, event(3, None, id_of(1), kind=kind, author=ANN)]).sets[kind] == ()


def test_a_comment_or_an_approval_with_a_key_is_one_like_any_other() -> None:
    keyed = replace(event(1, "hm", kind="comment"), key="k")
    withdrawn = event(2, None, id_of(1), kind="comment")
    assert fold({}, [keyed]).sets["comment"] == (keyed,)
    assert fold({}, [keyed, withdrawn]).sets["comment"] == ()


def test_an_event_that_cannot_be_written_again_hides_no_other() -> None:
    bomb = replace(event(1, "x"), extra={"bomb": 16**5000})
    assert fold({}, [bomb, event(2, "y", id_of(1))]).value("name") == "y"
    data = encode_event(event(1, "x")) + b"bomb = 0x" + b"f" * 5000 + b"\n"
    with pytest.raises(CorruptRecordError, match="14000 bits"):
        decode_event(data)


def test_a_restore_replaces_a_deletion() -> None:
    deletion = event(1, "deleted", kind="lifecycle")
    assert fold({}, [deletion]).deleted
    assert not fold({}, [deletion, event(2, "active", id_of(1), kind="lifecycle")]).deleted


def test_unknown_keys_and_kinds_are_kept() -> None:
    data = encode_event(event(1, "x", kind="future-kind")).replace(b"\n", b'\nunknown = "kept"\n', 1)
    decoded = decode_event(data)
    assert decoded.extra == {"unknown": "kept"}
    assert b'unknown = "kept"' in encode_event(decoded)
    assert fold({}, [decoded]).events == (decoded,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"id = 1\n",
        b"format = 1\n",
        b"format = 1\nid = 3\n",
        encode_event(event(1, "x")).replace(b'writer = "ann"', b'writer = "../x"'),
        encode_event(event(1, "x")).replace(b"run:abab", b"run:ABAB"),
        encode_event(event(1, "x")).replace(b'value = "x"', b"value = 3"),
    ],
)
def test_a_damaged_event_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        decode_event(data)


def test_a_newer_format_is_refused_before_anything_else_is_read() -> None:
    with pytest.raises(UnsupportedFormatError):
        decode_event(b"format = 2\nthis is not TOML")
