"""Runs as hypothesis invents them: hostile names, every kind of value."""

from __future__ import annotations

import datetime
from array import array
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from gittrack.core.ids import ExperimentId, ObjectId, RunId
from gittrack.core.names import check_artifact_path
from gittrack.core.records import (
    ArtifactEntry,
    CodeState,
    ExperimentRef,
    Input,
    LeftOut,
    Person,
    RunRecord,
    RunStatus,
    Series,
    SubmoduleState,
)
from gittrack.core.run_toml import LATEST
from gittrack.core.run_tree import RunBody, with_summaries
from gittrack.errors import InvalidNameError

WHOLE_RUNS = settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # making a whole run smaller takes minutes
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
)
EARLIEST = -62_135_596_800_000
INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(EARLIEST, LATEST)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# One line each, as the API lets through; what else a foreign tree may hold is in TEXTS.
TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
NASTY = st.sampled_from(
    [
        *("a", "A", "a/b", "a/B", "A/b", "/", "//", ".", "..", "../x", "nul", "NUL.txt", "loss.csv", "loss", "Loss"),
        *("x\0y", "\x1b[31m", "é", "e\u0301", "a\nb", "a\n\nEvent-Id: x", "-rf", '"', "'", "\\", "%", "%2F", "~"),
        *(".git", ".gitattributes", "dvc.yaml", "x.dvc", "train/loss", "train", "system/cpu", "y" * 400, "ß" * 200),
        "/".join("z" * 60 for _ in range(15)),
    ]
)
NAMES = NASTY | TEXTS.filter(bool)
IDS = st.integers(0, 2**128 - 1).map(lambda number: RunId(f"{number:032x}"))
OBJECTS = st.integers(0, 2**160 - 1).map(lambda number: ObjectId(f"{number:040x}"))
ZONES = st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(minutes=-570))])
ODD_ZONES = st.just(datetime.timezone(datetime.timedelta(seconds=1172)))
MOMENTS = st.one_of(
    st.datetimes(), st.datetimes(timezones=ZONES), st.datetimes(datetime.datetime(2, 1, 1), timezones=ODD_ZONES)
)
SCALARS = st.one_of(
    *(st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), TEXTS, st.dates(), st.times(), MOMENTS)
)
ITEMS = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("!none"), inner, max_size=2),
    max_leaves=5,
)
PARAMS = st.dictionaries(NAMES | TEXTS, SCALARS | st.none() | st.just({}) | st.lists(ITEMS, max_size=3), max_size=5)


def is_artifact_path(text: str) -> bool:
    try:
        return check_artifact_path(text) == text
    except InvalidNameError:
        return False


PATHS = NAMES.filter(is_artifact_path)


@st.composite
def series(draw: st.DrawFn) -> Series:
    rows = draw(st.lists(st.tuples(INT64, INT64, st.floats(), TEXTS, TEXTS), min_size=1, max_size=5))
    steps, times, values, models, data = zip(*rows, strict=True)
    about = draw(st.booleans())
    return Series(
        array("q", steps),
        array("q", times),
        array("d", values),
        list(models) if about else [],
        list(data) if about else [],
    )


CODES = st.builds(
    CodeState,
    commit=st.none() | OBJECTS,
    head=st.none() | OBJECTS,
    branch=st.none() | TITLES,
    dirty=st.booleans(),
    remote=st.none() | TITLES,
    directory=TEXTS,
    left_out=st.lists(st.builds(LeftOut, NAMES, TEXTS, st.integers(0, 2**60)), max_size=2).map(tuple),
    submodules=st.lists(st.builds(SubmoduleState, NAMES, OBJECTS, st.booleans()), max_size=2).map(tuple),
    reason=TEXTS,
)
INPUTS = st.lists(
    st.builds(
        Input,
        name=NAMES,
        role=TEXTS,
        uri=TEXTS,
        digest=TEXTS,
        source=TEXTS,
        size=st.none() | st.integers(0, 2**60),
        schema=st.dictionaries(TEXTS, TEXTS, max_size=2),
    ),
    max_size=3,
    unique_by=lambda item: (item.name, item.role, item.digest),
).map(lambda items: tuple(sorted(items, key=lambda item: (item.name, item.role, item.digest))))
ARTIFACTS = st.lists(
    st.builds(
        ArtifactEntry,
        path=PATHS,
        size=st.integers(0, 2**60),
        digest=st.integers(0, 2**128 - 1).map(lambda number: f"md5:{number:032x}"),
        media_type=TEXTS,
        storage=st.sampled_from(["inline", "pointer"]),
    ),
    max_size=4,
    unique_by=lambda entry: entry.path,
).map(lambda entries: tuple(sorted(entries, key=lambda entry: entry.path)))
EXTRA = st.dictionaries(st.sampled_from(["newer", "x-field"]), st.integers(0, 9) | TEXTS, max_size=2)
RECORDS = st.builds(
    RunRecord,
    id=IDS,
    name=TITLES,
    experiment=st.builds(
        ExperimentRef, (st.just(0) | st.integers(10**17, 10**18 - 1)).map(lambda n: ExperimentId(str(n))), TITLES
    ),
    status=st.sampled_from([status for status in RunStatus if status is not RunStatus.RUNNING]),
    start_time=TIMES,
    end_time=st.none() | TIMES,
    author=st.builds(Person, TEXTS, TEXTS),
    code=CODES,
    host=TEXTS,
    command=st.lists(TEXTS, max_size=3).map(tuple),
    entry=TEXTS,
    exit_code=st.none() | st.integers(-255, 255),
    error=TEXTS,
    parent=st.none() | IDS,
    kind=st.sampled_from(["run", "model"]),
    note=TEXTS,
    seeds=st.dictionaries(TEXTS, INT64, max_size=2),
    params=PARAMS,
    tags=st.dictionaries(NAMES, TEXTS, max_size=3),
    inputs=INPUTS,
    artifacts=ARTIFACTS,
    extra=EXTRA,
)


@st.composite
def bodies(draw: st.DrawFn) -> RunBody:
    record = draw(RECORDS)
    inline = [entry.path for entry in record.artifacts if entry.storage == "inline"]
    contents: dict[str, Any] = {path: draw(st.binary(max_size=8)) for path in inline}
    return with_summaries(
        RunBody(
            record=record,
            series=draw(st.dictionaries(NAMES, series(), max_size=4)),
            environment=draw(
                st.dictionaries(st.sampled_from(["environment.toml", "packages.txt"]), st.binary(max_size=5))
            ),
            logs=draw(st.dictionaries(st.sampled_from(["output.txt", "errors.log"]), st.binary(max_size=5))),
            contents=contents,
            kept=draw(st.dictionaries(st.sampled_from(["newer/file", "newer.toml"]), OBJECTS, max_size=1)),
        )
    )


def comparable(value: Any) -> str:
    """A record as text in which NaN equals NaN, dicts have no order, and large integers are texts, as in TOML."""
    from dataclasses import fields, is_dataclass

    if is_dataclass(value):
        return f"{type(value).__name__}({', '.join(comparable(getattr(value, f.name)) for f in fields(value))})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {comparable(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(comparable, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return repr(str(value))
    if isinstance(value, datetime.datetime | datetime.time):  # isoformat() leaves `fold` out
        offset = value.utcoffset()
        return (value.astimezone(datetime.UTC) if offset and offset.seconds % 60 else value).isoformat()
    if isinstance(value, float):
        return repr(float(value))
    return repr(value)
