"""Our frozen dataclasses answer as the standard library's do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

import gittrack
from gittrack.frozen import dataclass

PACKAGE = Path(gittrack.__file__).parent


@dataclass(frozen=True, slots=True)
class Ours:
    """A record of ours."""

    name: str
    size: int = 3
    tags: Mapping[str, str] = field(default_factory=dict)
    hidden: object = field(default=None, repr=False, compare=False)

    @property
    def double(self) -> int:
        return self.size * 2


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same by the standard library."""

    name: str
    size: int = 3
    tags: Mapping[str, str] = field(default_factory=dict)
    hidden: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Empty:
    """A record without fields."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A record of one field."""

    value: int


VALUES: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 4), {}),
    (("a",), {"hidden": 1}),
    (("b",), {"tags": {"x": "y"}}),
    (("a", 3, {}, "z"), {}),
]


@pytest.mark.parametrize("left", range(len(VALUES)))
@pytest.mark.parametrize("right", range(len(VALUES)))
def test_records_are_equal_when_the_standard_library_says_so(left: int, right: int) -> None:
    ours = [Ours(*VALUES[n][0], **VALUES[n][1]) for n in (left, right)]
    theirs = [Theirs(*VALUES[n][0], **VALUES[n][1]) for n in (left, right)]
    assert (ours[0] == ours[1]) == (theirs[0] == theirs[1])
    assert repr(ours[0]).replace("Ours", "Theirs") == repr(theirs[0])
    assert dataclasses.asdict(ours[0]) == dataclasses.asdict(theirs[0])


def test_a_default_made_anew_is_each_records_own() -> None:
    assert Ours("a").tags is not Ours("a").tags


def test_hashes_follow_the_fields_that_are_compared() -> None:
    assert hash(Alone(1)) == hash(Alone(1))
    assert {Alone(1), Alone(2), Alone(1)} == {Alone(1), Alone(2)}
    assert hash(Empty()) == hash(Empty())
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours("a"))  # a dict cannot be hashed


def test_records_of_different_classes_are_never_equal() -> None:
    assert Empty() == Empty()
    others: list[object] = [Alone(1), 1]
    assert Empty() not in others
    assert others.index(1) == 1


def test_nothing_can_be_set_or_deleted() -> None:
    record = Ours("a")
    for name in ("name", "unknown", "double"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(record, name, 1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del record.name
    assert not hasattr(record, "__dict__")


def test_records_are_replaced_copied_and_pickled() -> None:
    record = Ours("a", 7, {"x": "y"}, "z")
    assert dataclasses.replace(record, size=8) == Ours("a", 8, {"x": "y"})
    for again in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert again == record
        assert again.hidden == "z"
    match record:
        case Ours(name, size):
            assert (name, size, record.double) == ("a", 7, 14)


def test_wrong_arguments_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"Ours\.__init__\(\) missing 1 required positional argument: 'name'"):
        Ours()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'nmae'"):
        Ours("a", nmae=1)  # type: ignore[call-arg]
    assert list(inspect.signature(Ours).parameters) == list(inspect.signature(Theirs).parameters)


def test_what_only_the_standard_library_does_is_refused() -> None:
    with pytest.raises(TypeError, match="frozen and has slots"):
        dataclass(frozen=True, slots=False)

    class Checked:
        value: int

        def __post_init__(self) -> None: ...

    with pytest.raises(TypeError, match="only the standard library's"):
        dataclass(frozen=True, slots=True)(Checked)


def test_every_frozen_record_of_the_package_takes_the_quick_way() -> None:
    slow = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "frozen.py"
        and "\n@dataclass(frozen=True, slots=True)\n" in (text := path.read_text(encoding="utf-8"))
        and "\nfrom gittrack.frozen import dataclass\n" not in text
    ]
    assert slow == []
