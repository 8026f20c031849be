"""Comparing values: the quick ways give the answers of the plain one."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.query.comparing import (
    MIRRORED,
    compare_any,
    compare_kind,
    compare_values,
    member_test,
    number_of_text,
)
from gittrack.core.query.diagnosis import nearest
from gittrack.core.query.evaluate import RunFacts, evaluate
from gittrack.core.query.fields import unknown_names
from gittrack.core.query.parser import parse_query
from gittrack.core.records import ArtifactEntry, Input

OPERATORS = st.sampled_from(sorted(MIRRORED))
TEXTS = st.text("ab1:", max_size=6) | st.sampled_from(["md5:ab12", "ab12cd", "AB12", "0012", "1e1", "nan", "true"])
NUMBERS = st.integers(-3, 15) | st.floats(-3, 15) | st.sampled_from([2**53, 2**53 + 1, float(2**53)])
ANY = TEXTS | NUMBERS | st.booleans() | st.sampled_from([None, [1], float("nan"), float("inf")])


@given(ANY, OPERATORS, ANY)
def test_both_sides_may_change_places(left, operator, right):
    assert compare_values(left, operator, right) == compare_values(right, MIRRORED[operator], left)


@given(ANY, ANY)
def test_what_compares_is_equal_or_not(left, right):
    there = left is not None and right is not None
    assert compare_values(left, "=", right) + compare_values(left, "!=", right) == there


@given(st.lists(TEXTS), OPERATORS, st.lists(TEXTS))
def test_of_many_texts_no_pair_is_missed(lefts, operator, rights):
    pairs = any(compare_values(left, operator, right) for left in lefts for right in rights)
    assert compare_any(lefts, operator, rights) == pairs


@given(st.lists(NUMBERS), OPERATORS, st.lists(NUMBERS))
def test_of_many_numbers_no_pair_is_missed(lefts, operator, rights):
    pairs = any(compare_values(left, operator, right) for left in lefts for right in rights)
    assert compare_any(lefts, operator, rights) == pairs


@given(st.sampled_from(["text", "id", "digest", "status", "any"]), TEXTS, st.lists(TEXTS))
def test_in_is_equal_to_one_of_them(kind, value, constants):
    assert member_test(kind, constants)(value) == any(compare_kind(kind, value, "=", each) for each in constants)


@given(NUMBERS, st.lists(NUMBERS))
def test_in_is_equal_to_one_of_the_numbers(value, constants):
    expected = any(compare_kind("number", value, "=", each) for each in constants)
    assert member_test("number", constants)(value) == expected


def test_integers_are_exact_within_64_bits():
    assert number_of_text("9223372036854775807") == 2**63 - 1
    assert isinstance(number_of_text("9223372036854775808"), float)
    assert number_of_text("9" * 401) is None
    assert not compare_values(2**53 + 1, "=", float(2**53))


def test_a_run_with_many_inputs_takes_no_time():
    facts = RunFacts(
        inputs=tuple(Input(f"n{each}", "train", f"u{each}", f"md5:{each:032x}", size=each) for each in range(10_000)),
        artifacts=tuple(ArtifactEntry(f"a{index}", index, f"md5:{index + 20_000:032x}", "") for index in range(10_000)),
    )
    listed = ", ".join(f"'{index:x}fff'" for index in range(900))
    for text, answer in (
        ("inputs.name = artifacts.path", False),
        ("inputs.size > artifacts.size + 9998", True),
        ("inputs.hash = artifacts.hash", False),
        (f"inputs.hash in ({listed})", False),
        (f"inputs.name not in ({listed})", True),
    ):
        query = parse_query(text, now=0)
        began = time.process_time()
        assert evaluate(query, facts) is answer, text
        assert time.process_time() - began < 1.5, text


MIXED = (
    TEXTS
    | NUMBERS
    | st.booleans()
    | st.sampled_from([None, [1], ["x"], float("nan"), float("inf"), "inf", "-inf", "3", "3.0", "[1]", "False", 2**63])
)
CONSTANTS = TEXTS | NUMBERS | st.booleans() | st.sampled_from([float("inf"), "inf", "nan", "3", "3.0", "[1]", "False"])


@given(MIXED, st.lists(CONSTANTS, max_size=5))
def test_in_of_params_is_equal_to_one_of_them(value, constants):
    expected = any(compare_values(value, "=", each) for each in constants)
    assert member_test("any", constants)(value) == expected


def test_in_takes_no_longer_for_more_values():
    test = member_test("any", [f"{number}" if number % 2 else number for number in range(1000)])
    began = time.process_time()
    for _ in range(2000):
        test("none of them")
    assert time.process_time() - began < 0.2  # 0.01 s alone, 1 s by trying each


def test_a_near_name_is_found_among_many_at_once():
    known = [f"metric/{number:05}/some_name" for number in range(20_000)]
    began = time.process_time()
    assert nearest("metric/01234/sme_name", known) == "metric/01234/some_name"
    assert nearest("zzz", known) == ""
    assert time.process_time() - began < 0.5  # 0.1 s alone


def test_of_many_unknown_names_only_the_first_get_a_suggestion():
    expression = parse_query(" or ".join(f"tags.team_{number:04}x = 'a'" for number in range(400)), now=0)
    known = {"tags": dict.fromkeys(f"team_{number:04}" for number in range(20_000))}
    began = time.process_time()
    unknown = unknown_names(expression, known)
    assert time.process_time() - began < 3  # 0.6 s alone; 80 s for all of them
    assert len(unknown) == 400
    assert [near for _, near in unknown if near] == [f"tags.team_{number:04}" for number in range(3)]
