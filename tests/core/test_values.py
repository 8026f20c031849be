"""Whatever a training script hands over becomes a param or a point, and nothing is imported to find out what it is."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import math
import pathlib
import subprocess
import sys
import types
import uuid
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core import values
from gittrack.core.values import coerce_scalar, flatten_params, metric_value, same_value
from gittrack.errors import InvalidNameError, InvalidValueError

UTC = datetime.UTC


class Colour(enum.Enum):
    RED = 1


class Optimiser(str, enum.Enum):
    ADAM = "adam"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Hostile:
    """Every attribute it is asked for makes trouble."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        return "hostile"


class Blank:
    pass


class Text(str):
    def __str__(self) -> str:
        return "something else"


@dataclasses.dataclass
class Model:
    depth: int = 6
    colour: Colour = Colour.RED


COERCED = [
    (None, None),
    (True, True),
    (3, 3),
    (2**70, 2**70),
    (0.5, 0.5),
    ("x", "x"),
    ("naïve 🚀\0", "naïve 🚀\0"),
    ("a\udc80", "a\\udc80"),
    (np.float64(0.5), 0.5),
    (np.float32(0.5), 0.5),
    (np.float16(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.int8(3), 3),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.array(3), 3),
    (np.array([1, 2]), [1, 2]),
    (np.array([[1.5], [2.5]]), [[1.5], [2.5]]),
    (np.zeros((8, 9)), "ndarray(shape=(8, 9), dtype=float64)"),
    (np.datetime64("2024-01-02T03:04:05.000000006"), "2024-01-02T03:04:05.000000006"),
    (pd.Timestamp("2024-01-02T03:04:05Z"), datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    (pd.NaT, "NaT"),
    (pd.NA, "<NA>"),
    (pd.Series([1, 2]), [1, 2]),
    (pd.DataFrame({"a": [1]}), "DataFrame(shape=(1, 1))"),
    (Colour.RED, "RED"),
    (Optimiser.ADAM, "adam"),
    (Level.HIGH, "HIGH"),
    (Text("x"), "x"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (decimal.Decimal("0.1"), 0.1),
    (decimal.Decimal("0.1234567890123456789"), "0.1234567890123456789"),
    (fractions.Fraction(1, 2), 0.5),
    (fractions.Fraction(1, 3), "1/3"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (1 + 2j, "(1+2j)"),
    (b"ab\xff", "ab\\xff"),
    (datetime.date(2024, 1, 2), datetime.date(2024, 1, 2)),
    (datetime.time(1, 2), datetime.time(1, 2)),
    (datetime.time(1, 2, tzinfo=UTC), "01:02:00+00:00"),
    (datetime.datetime(2024, 1, 2, fold=1), datetime.datetime(2024, 1, 2)),
    (datetime.timedelta(days=1, seconds=1), "1 day, 0:00:01"),
    (len, "len"),
    (int, "int"),
    (np.mean, "numpy.mean"),
    (math, "math"),
    (functools.partial(int, base=2), "functools.partial(<class 'int'>, base=2)"),
    ((1, "a"), [1, "a"]),
    ([1, None, [2.5, {}]], [1, None, [2.5, {}]]),
    ({"b", "a"}, ["a", "b"]),
    (frozenset({10, 2}), [2, 10]),
    (range(3), [0, 1, 2]),
    (collections.deque([1, 2]), [1, 2]),
    (range(10**12), "range of 1000000000000 items"),
    ([{"a": None, 1: Colour.RED}], [{"a": None, "1": "RED"}]),
    ([Point(1, 2), Model()], [{"x": 1, "y": 2}, {"depth": 6, "colour": "RED"}]),
    ({}, {}),
    (Silent(), "<unprintable Silent>"),
    (Hostile(), "hostile"),
    (10**5000, hex(10**5000)),
]


@pytest.mark.parametrize(
    ("value", "expected"), COERCED, ids=[f"{i} {type(v).__name__}" for i, (v, _) in enumerate(COERCED)]
)
def test_a_value_becomes_what_a_param_can_hold(value: object, expected: object) -> None:
    coerced = coerce_scalar(value)
    assert same_value(coerced, expected), coerced


def test_a_zone_becomes_its_offset() -> None:
    moment = datetime.datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    coerced = coerce_scalar(moment)
    assert coerced == moment
    assert isinstance(coerced, datetime.datetime)
    assert coerced.tzinfo == datetime.timezone(datetime.timedelta(hours=2))
    ancient = datetime.datetime(1850, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    coerced = coerce_scalar(ancient)
    assert isinstance(coerced, datetime.datetime)
    assert (coerced, coerced.utcoffset()) == (ancient.astimezone(UTC), datetime.timedelta(0))


def test_nan_stays_nan_whatever_library_it_comes_from() -> None:
    for value in (math.nan, np.float32("nan"), decimal.Decimal("nan"), np.array(math.nan)):
        assert same_value(coerce_scalar(value), math.nan)


def test_the_text_of_an_object_holds_no_address_and_is_cut() -> None:
    assert coerce_scalar(Blank()) == f"<{__name__}.Blank object>"
    long = coerce_scalar(argparse.ArgumentParser(description="x" * 5000))
    assert isinstance(long, str)
    assert len(long) == 1000
    assert long.endswith("…")


def test_what_contains_itself_or_unfolds_without_end_becomes_a_text() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    assert coerce_scalar(cycle) == "<list: nested deeper than 32, or contains itself>"
    unfolding: list[Any] = [1]
    for _ in range(30):
        unfolding = [unfolding, unfolding]
    assert coerce_scalar(unfolding) == "<list: more than 100000 values>"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_coercing_twice_changes_nothing_more(value: object) -> None:
    once = coerce_scalar(value)
    assert same_value(coerce_scalar(once), once)


# -- flatten_params --------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Config:
    lr: float
    model: Model
    betas: tuple[float, float] = (0.9, 0.99)


class Settings(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    lr: float = 0.1
    password: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    inner: dict[str, int] = {"a": 1}


class Keyed:
    """Has keys, but is no Mapping, as ml_collections has it."""

    def __init__(self, **items: Any) -> None:
        self._items = items

    def keys(self) -> list[str]:
        return list(self._items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]


class Hidden(Keyed):
    def keys(self) -> list[str]:
        raise RuntimeError("no")

    def __str__(self) -> str:
        return "hidden"


class Missing(Keyed):
    def __getitem__(self, key: str) -> Any:
        if key == "gone":
            raise LookupError("mandatory value")
        return super().__getitem__(key)


class Parent:
    seed = 1
    lr = 0.5


class Plain(Parent):
    lr = 0.1
    _hidden = 2
    Nested = Parent

    def method(self) -> None: ...

    @property
    def computed(self) -> int:
        return 1


FLATTENED = [
    ({"a": {"b": {"c": 1}}, "d": 2}, {"a.b.c": 1, "d": 2}),
    ({"a": {}, "b": {"c": {}}}, {"a": {}, "b.c": {}}),
    ({2: 2, None: 3, True: 4, Optimiser.ADAM: 5, b"k": 6}, {"2": 2, "None": 3, "True": 4, "adam": 5, "k": 6}),
    ({"": {"a": 1}, "a": {"": 2}}, {".a": 1, "a.": 2}),
    ({"a.b": 1, "a": {"b": 1}}, {"a.b": 1}),
    (argparse.Namespace(lr=0.1, model=argparse.Namespace(depth=3)), {"lr": 0.1, "model.depth": 3}),
    (types.SimpleNamespace(lr=0.1), {"lr": 0.1}),
    (Config(0.1, Model()), {"lr": 0.1, "model.depth": 6, "model.colour": "RED", "betas": [0.9, 0.99]}),
    (Settings(extra_one=2), {"lr": 0.1, "password": "**********", "inner.a": 1, "extra_one": 2}),
    (Point(1, 2), {"x": 1, "y": 2}),
    (Keyed(lr=0.1, model=Keyed(depth=3)), {"lr": 0.1, "model.depth": 3}),
    (Missing(lr=0.1, gone=None), {"lr": 0.1, "gone": "<LookupError>"}),
    (Plain, {"seed": 1, "lr": 0.1}),
    (Plain(), {"seed": 1, "lr": 0.1}),
    (collections.OrderedDict(a=np.int64(1)), {"a": 1}),
    (types.MappingProxyType({"a": [{"b": None}]}), {"a": [{"b": None}]}),
    ({"a": Keyed(), "b": Hostile(), "c": Hidden()}, {"a": {}, "b": "hostile", "c": "hidden"}),
    ({}, {}),
]


@pytest.mark.parametrize(("params", "flat"), FLATTENED, ids=[type(params).__name__ for params, _ in FLATTENED])
def test_params_become_dotted_names(params: object, flat: dict[str, object]) -> None:
    flattened = flatten_params(params)
    assert same_value(flattened, flat), flattened
    assert list(flattened) == list(flat)


def test_a_module_of_settings_is_params() -> None:
    module = types.ModuleType("config")
    vars(module).update(lr=0.1, math=math, helper=len, _hidden=1)
    assert flatten_params(module) == {"lr": 0.1}


def test_attrs_classes_and_omegaconf_are_params() -> None:
    attrs = pytest.importorskip("attrs")

    @attrs.define
    class Attrs:
        lr: float = 0.1
        _hidden: int = 2

    assert flatten_params(Attrs()) == {"lr": 0.1, "_hidden": 2}


def test_omegaconf_is_params_with_interpolations_resolved_and_missing_values_named() -> None:
    omegaconf = pytest.importorskip("omegaconf")
    config = omegaconf.OmegaConf.create(
        {"lr": 0.1, "double": "${lr}", "gone": "???", "list": [1, {"a": 2}], "sub": {"x": None}}
    )
    assert flatten_params(config) == {
        "lr": 0.1,
        "double": 0.1,
        "gone": "<MissingMandatoryValue>",
        "list": [1, {"a": 2}],
        "sub.x": None,
    }


def test_a_prefix_is_put_before_every_name() -> None:
    assert flatten_params({"a": {"b": 1}}, "x.y") == {"x.y.a.b": 1}


def test_params_that_contain_themselves_or_nest_too_deep_are_refused() -> None:
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    looped: list[Any] = []
    looped.append(looped)
    wide: dict[str, Any] = {"x": 1}
    for _ in range(30):
        wide = {"a": wide, "b": wide}
    for params in (cycle, {"a": looped}, wide):
        with pytest.raises(InvalidValueError, match="params cannot be stored"):
            flatten_params(params)
    deep: dict[str, Any] = {"x": 1}
    for _ in range(31):
        deep = {"a": deep}
    assert len(flatten_params(deep)) == 1
    with pytest.raises(InvalidValueError, match="deeper than 32"):
        flatten_params({"a": {"a": deep}})


@pytest.mark.parametrize("params", [5, "lr=0.1", None, [1], 0.5, np.zeros(3), pd.DataFrame({"a": [1]}), len, object()])
def test_what_has_no_names_is_refused(params: object) -> None:
    with pytest.raises(InvalidValueError, match="params cannot be stored") as caught:
        flatten_params(params)
    assert caught.value.hint == 'log_params({"name": value})'


def test_bad_names_and_values_are_refused() -> None:
    with pytest.raises(InvalidNameError):
        flatten_params({"": 1})
    with pytest.raises(InvalidNameError):
        flatten_params({"\udc80": 1})
    with pytest.raises(InvalidNameError):
        flatten_params({"x" * 1001: 1})
    with pytest.raises(InvalidValueError, match="two values in one call"):
        flatten_params({"a.b": 1, "a": {"b": 1.0}})
    with pytest.raises(InvalidValueError, match="at most 1048576"):
        flatten_params({"a": "x" * ((1 << 20) + 1)})
    with pytest.raises(InvalidValueError, match="two values"):
        flatten_params({"a": [{1: 1, "1": 2}]})


# -- metric_value ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((0.5, 0.5), (3, 3.0), (True, 1.0), (np.float32(0.5), 0.5), (np.int64(3), 3.0), (np.bool_(True), 1.0)),
        *(
            (np.array(0.5), 0.5),
            (np.array([[0.5]]), 0.5),
            (decimal.Decimal("0.5"), 0.5),
            (fractions.Fraction(1, 2), 0.5),
        ),
        *((pd.Series([0.5]), 0.5), (np.longdouble(0.5), 0.5), (math.inf, math.inf), (Level.HIGH, 3.0)),
    ],
)
def test_a_number_of_any_library_is_a_point(value: object, number: float) -> None:
    assert type(metric_value(value)) is float
    assert metric_value(value) == number


def test_nan_is_a_point() -> None:
    assert math.isnan(metric_value(math.nan))
    assert math.isnan(metric_value(np.float32("nan")))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *(("0.5", "not str"), ("nan", "not str"), (None, "not NoneType"), ([0.5], "not list"), (1j, "not complex")),
        *((np.zeros(2), r"not numpy.ndarray of shape \(2,\)"), (np.array("x"), "shape|ndarray"), ({}, "not dict")),
        *(
            (pd.NA, "NAType"),
            (10**400, "too large"),
            (Colour.RED, "Colour"),
            (b"1", "not bytes"),
            (np.array([]), "shape"),
        ),
        *((np.complex128(1j), "complex"), (Hostile(), "Hostile")),
    ],
    ids=str,
)
def test_what_is_no_number_is_no_point(value: object, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said) as caught:
        metric_value(value)
    assert len(caught.value.message) < 300


# -- same_value ------------------------------------------------------------------------------------------------------


def test_values_are_the_same_only_with_the_same_type() -> None:
    different = [1, 1.0, True, "1", None, [1], [1.0], [1, 1], {}, {"a": 1}, {"a": 1.0}, {"b": 1}, math.nan, [math.nan]]
    for i, a in enumerate(different):
        for j, b in enumerate(different):
            assert same_value(a, b) is (i == j), (a, b)
    assert not same_value(datetime.datetime(2024, 1, 1), datetime.date(2024, 1, 1))
    assert not same_value(datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=UTC))


def test_the_module_imports_no_heavy_library() -> None:
    root = str(pathlib.Path(values.__file__).parent.parent.parent)
    heavy = {"numpy", "decimal", "fractions", "uuid", "pathlib", "json"}
    program = f"import sys, gittrack.core.values; print(*sorted({heavy} & set(sys.modules)))"
    # -S: what site itself imports is not ours.
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
