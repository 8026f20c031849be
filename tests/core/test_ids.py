"""Ids, refs and addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.address import parse_address
from gittrack.core.ids import (
    event_id_from,
    experiment_id,
    parse_event_id,
    parse_experiment_id,
    parse_run_id,
    run_id_from,
)
from gittrack.core.parsed_refs import InboxRef, LocalLedgerRef, RemoteLedgerRef, parse_ref
from gittrack.core.refs import is_writer
from gittrack.errors import InvalidNameError


@given(st.binary(min_size=16, max_size=16))
def test_a_run_id_parses_back(random: bytes) -> None:
    assert parse_run_id(run_id_from(random)) == random.hex()


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_event_ids_sort_by_time(one: int, other: int, random: bytes) -> None:
    first, second = event_id_from(one, random), event_id_from(other, random)
    assert (first < second) == (one < other)
    assert parse_event_id(first) == first


def test_experiment_ids_are_pinned() -> None:
    assert experiment_id("Default") == "0"
    assert experiment_id("churn") == "949943230204313283"
    assert experiment_id("churn", experiment_id("churn")) == "937461297975955743"
    assert experiment_id("cafe\u0301") == experiment_id("caf\u00e9")


@given(st.text())
def test_every_experiment_id_parses(name: str) -> None:
    if not any("\ud800" <= c <= "\udfff" for c in name):
        assert parse_experiment_id(experiment_id(name)) == experiment_id(name)


@pytest.mark.parametrize("text", ["", "A" * 32, "0" * 31, "0" * 33, "g" * 32, "0" * 31 + "\n"])
def test_what_is_no_run_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError):
        parse_run_id(text)


@pytest.mark.parametrize(
    "ref",
    [InboxRef("0" * 32), LocalLedgerRef("2026-11"), RemoteLedgerRef("origin", "2026-01", "ann")],
)
def test_refs_parse_back(ref: InboxRef | LocalLedgerRef | RemoteLedgerRef) -> None:
    assert parse_ref(str(ref)) == ref


@pytest.mark.parametrize(
    "name",
    [
        "refs/heads/main",
        "refs/runs/inbox/" + "0" * 31,
        "refs/runs/inbox/" + "0" * 32 + "\n",
        "refs/runs/local/2026-13",
        "refs/runs-remote/origin/2026-11",
        "refs/runs-remote/or..igin/2026-11/x",
        "refs/runs-remote/origin/2026-11/-x",
    ],
)
def test_what_follows_no_grammar_is_no_ref_of_ours(name: str) -> None:
    assert parse_ref(name) is None


def test_writers_are_slugs() -> None:
    assert is_writer("ann")
    assert is_writer("a-b")
    assert not is_writer("-x")
    assert not is_writer("x" * 41)
    assert not is_writer("Ann")


def test_addresses() -> None:
    assert parse_address("@latest").back == 1
    assert parse_address("@-3").back == 3
    assert parse_address("ABC12").prefix == "abc12"
    assert parse_address("baseline").prefix is None
    for bad in ("", "@-0", "@later", "x" * 2000):
        with pytest.raises(InvalidNameError):
            parse_address(bad)
