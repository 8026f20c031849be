"""The repositories whose bytes are pinned: each built from fixed journals, ids, clocks and people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from gittrack.core.assembly import code_operation
from gittrack.core.ids import EventId, ObjectId, RunId, experiment_id
from gittrack.core.journal import JournalContents
from gittrack.core.records import (
    GITTRACK,
    ArtifactEntry,
    CodeState,
    Event,
    Input,
    LeftOut,
    Person,
    RunRecord,
    Subject,
    SubmoduleState,
    Writer,
)
from gittrack.core.refs import inbox_ref
from gittrack.git.repository import Repository
from gittrack.store.event_store import write_event
from gittrack.store.layout import Layout
from gittrack.store.publish import write_run
from gittrack.store.rollup import roll_up
from tests.format.written_journals import journal

ANN, BOB = Person("Ann Example", "ann@example.com"), Person("Bob Example", "bob@example.com")
START = 1_760_000_000_000
"""2025-10-09T08:53:20Z, in ms since the epoch."""
MINIMAL, FULL, FAILED, RESUMED, PARENT = (RunId(digits * 16) for digits in ("a1", "b2", "c3", "d4", "e5"))
CHURN = {"id": str(experiment_id("churn/xgb")), "name": "churn/xgb"}

Built = dict[ObjectId, RunRecord]
"""Run commit -> the record it must hold."""


def code_commit(repo: Repository) -> ObjectId:
    """The commit of the code that all runs ran."""
    tree = repo.objects.write_tree({"train.py": b'print("training")\n'})
    return repo.objects.write_commit(tree, [], "first\n", ANN, START // 1000 - 86_400)


def start(id: RunId, code: CodeState, **more: object) -> dict[str, object]:
    """The operation that begins a run."""
    begin: dict[str, object] = {
        "op": "start",
        "t": START,
        "id": id,
        "name": "brisk-otter-417",
        "experiment": {"id": "0", "name": "Default"},
        "author": {"name": ANN.name, "email": ANN.email},
        "code": code_operation(code),
    }
    return begin | more


def put_run(
    repo: Repository, id: RunId, *journals: JournalContents, before: ObjectId | None = None
) -> tuple[ObjectId, RunRecord]:
    """Write a run and point its inbox ref at it."""
    commit, record = write_run(repo, journals)
    if before is None:
        repo.refs.create(inbox_ref(id), commit)
    else:
        repo.refs.update(inbox_ref(id), commit, before)
    return commit, record


def minimal(repo: Repository) -> Built:
    """A run that logged nothing, on a clean work tree."""
    code = code_commit(repo)
    clean = CodeState(code, code, "main")
    end = {"op": "end", "t": START + 1500, "status": "finished"}
    return dict([put_run(repo, MINIMAL, journal(start(MINIMAL, clean), end))])


def full(repo: Repository) -> Built:
    """A run with everything a run can have."""
    head = code_commit(repo)
    tree = repo.objects.write_tree({"train.py": b'print("training")\n', "new.py": b"x = 1\n"})
    snapshot = repo.objects.write_commit(tree, [head], "snapshot of the work tree\n", GITTRACK, START // 1000 - 86_400)
    code = CodeState(
        commit=snapshot,
        head=head,
        branch="feature/Ünïcode",
        dirty=True,
        remote="https://git.example.com/ann/churn.git",
        directory="models",
        left_out=(LeftOut("data/big.bin", "size", 99_000_000), LeftOut(".env", "secret", 120)),
        submodules=(SubmoduleState("vendor/lib", "9" * 40, True),),
    )
    begin = start(
        FULL,
        code,
        name="Größe «2»",
        experiment=CHURN,
        host="node-7",
        command=["python", "train.py", "--lr", "0.1"],
        entry="train.py",
        parent=PARENT,
        note="A note\nof two lines.",
        environment={"packages.txt": "numpy==2.1.0\n", "hardware.toml": "[cpu]\ncount = 8\n"},
    )
    end = {"op": "end", "t": START + 60_000, "status": "finished", "exit_code": 0}
    return dict([put_run(repo, FULL, journal(begin, *_everything(), end, points=_points()))])


def _everything() -> list[Mapping[str, object]]:
    params = {
        "lr": 0.1,
        "epochs": 10,
        "deterministic": True,
        "model.depth": 6,
        "model.layers": [64, 64, {"units": 8, "bias": None}],
        "model": "xgb",
        "optimizer.name": "adam",
        "optimizer.betas": [0.9, 0.999],
        "early stopping": None,
        "threshold": float("nan"),
        "limit": float("-inf"),
        "huge": 1 << 70,
        "empty": {},
        "text": 'with "quotes", a \\ and\na line feed',
    }
    inline = ArtifactEntry("report.md", 9, "md5:8f3cb5d8a44a2d1b9f4a3c5d6e7f8091", "text/markdown", "inline")
    odd = ArtifactEntry("plots/Über sicht.dvc", 3, "md5:acbd18db4cc2f85cedef654fccc4a4d8", "text/plain", "inline")
    large = ArtifactEntry(
        "model.json", 1_048_576, "md5:00112233445566778899aabbccddeeff", "application/json", "pointer"
    )
    train = Input(
        "train", "train", "data/train.csv", "md5:0123456789abcdef0123456789abcdef", ".dvc", 4711, {"age": "int64"}
    )
    base = Input("base", "model", "https://models.example.com/base.bin")
    about = {"model": "m-" + "0" * 32, "data": 'test, "held out"'}
    return [
        *({"op": "param", "t": START + 1, "name": name, "value": value} for name, value in params.items()),
        {"op": "tag", "t": START + 2, "key": "stage", "value": "baseline"},
        {"op": "tag", "t": START + 2, "key": "team:owner", "value": "Ann"},
        {"op": "seed", "t": START + 3, "seeds": {"python": 7, "numpy": 7}},
        {"op": "input", "t": START + 4, "input": asdict(train)},
        {"op": "input", "t": START + 5, "input": asdict(base)},
        {"op": "artifact", "t": START + 6, "artifact": asdict(inline), "content": b"# Report\n"},
        {"op": "artifact", "t": START + 7, "artifact": asdict(odd), "content": b"foo"},
        {"op": "artifact", "t": START + 8, "artifact": asdict(large)},
        {"op": "log", "t": START + 9, "name": "output.txt", "content": b"epoch 1\nepoch 2\n"},
        {"op": "point", "t": START + 10, "name": "eval/auc", "step": 1, "time": START + 10, "value": 0.75} | about,
    ]


def _points() -> list[tuple[str, int, int, float]]:
    losses = [0.9, 0.5, float("nan"), float("inf"), 0.1 + 0.2]
    return [
        *(("train/loss", step, START + 1000 * step, value) for step, value in enumerate(losses)),
        ("Loss", 0, START + 1, 1.0),
        ("loss", 0, START + 2, -0.0),
        ("100 % rèsumé", -3, START + 3, 1e-300),
        ("loss/nul", 5, START + 4, float("-inf")),
        ("nul", 0, START + 5, 12345678901234567890.0),
        ("system/cpu", 0, START + 6, 42.5),
        ("only nan", 0, START + 7, float("nan")),
    ]


def failed(repo: Repository) -> Built:
    """A run whose code is unknown and that ended with an exception."""
    traceback = 'Traceback (most recent call last):\n  File "train.py", line 1, in <module>\nValueError: no data\n'
    how = {"status": "failed", "exit_code": 1, "error": "ValueError: no data", "traceback": traceback}
    end = {"op": "end", "t": START + 2500} | how
    unknown = CodeState(None, reason="the repository has no work tree")
    log = {"op": "log", "t": START + 5, "name": "errors.log", "content": b"log_metric: a str is no number\n"}
    points = [("loss", 0, START + 100, 2.5), ("loss", 1, START + 200, 2.25)]
    return dict([put_run(repo, FAILED, journal(start(FAILED, unknown), log, end, points=points))])


def resumed(repo: Repository) -> Built:
    """A crashed run of two processes, then its resumption."""
    code = code_commit(repo)
    clean = CodeState(code, code, "main")
    tag = {"op": "tag", "t": START + 1, "key": "stage", "value": "first"}
    lr = {"op": "param", "t": START + 1, "name": "lr", "value": 0.1}
    first = journal(
        start(RESUMED, clean), tag, lr, points=[("loss", 0, START + 1000, 1.0), ("loss", 1, START + 3000, 0.5)]
    )
    worker = journal(
        {"op": "writer", "t": START + 2}, points=[("loss", 1, START + 2000, 0.75), ("acc", 0, START + 2000, 0.5)]
    )
    earlier, crashed = put_run(repo, RESUMED, first, worker)
    again = start(RESUMED, clean, t=START + 100_000, resumes=earlier)
    later = journal(
        again,
        {"op": "param", "t": START + 100_001, "name": "epochs", "value": 3},
        {"op": "tag", "t": START + 100_002, "key": "stage", "value": "second"},
        {"op": "end", "t": START + 110_000, "status": "finished", "exit_code": 0},
        points=[("loss", 2, START + 105_000, 0.25)],
    )
    commit, record = put_run(repo, RESUMED, later, before=earlier)
    return {earlier: crashed, commit: record}


def event(
    number: int,
    kind: str,
    value: str | None,
    *replaces: str,
    key: str = "",
    who: Person = ANN,
    subject: Subject | None = None,
) -> Event:
    """An event with everything fixed; ``number`` counts up its id and its time."""
    return Event(
        id=EventId(f"{START + 1000 * number:012x}{number:020x}"),
        kind=kind,
        subject=subject or Subject("run", MINIMAL),
        time=START + 1000 * number,
        author=who,
        writer=who.name.split()[0].lower(),
        key=key,
        value=value,
        replaces=replaces,
    )


TAGGED = event(1, "tag", "baseline", key="stage")
RENAMED = event(2, "name", "best so far", "body")
NOTED = event(3, "note", "Overfits after step 300.\nSee the plots.")
DELETED = event(4, "lifecycle", "deleted")
RESTORED = event(5, "lifecycle", "active", DELETED.id)
UNTAGGED = event(6, "tag", None, TAGGED.id, key="stage")
CONFLICT = event(7, "name", "worst so far", "body", who=BOB)
NEWER = event(8, "verdict", "of a newer version", who=BOB)
OF_A_RUN = (TAGGED, RENAMED, NOTED, DELETED, RESTORED, UNTAGGED, CONFLICT, NEWER)
EXPERIMENT = event(9, "name", "churn/gradient boosting", subject=Subject("experiment", CHURN["id"]))


def events(repo: Repository) -> Built:
    """A run and what was stated about it later, two people contradicting each other."""
    built = minimal(repo)
    for one in OF_A_RUN:
        write_event(repo, one)
    return built


def experiment(repo: Repository) -> Built:
    """A run of an experiment that was renamed afterwards."""
    code = code_commit(repo)
    begin = start(MINIMAL, CodeState(code, code, "main"), experiment=CHURN)
    built = dict([put_run(repo, MINIMAL, journal(begin, {"op": "end", "t": START + 1500, "status": "finished"}))])
    write_event(repo, EXPERIMENT)
    return built


def ledger(repo: Repository) -> Built:
    """A local ledger with two batches: a run with an event, then two runs."""
    layout, author = Layout.of(repo.common_dir), Writer("ann", ANN)
    built = minimal(repo)
    write_event(repo, TAGGED)
    roll_up(repo, layout, author, START + 3_600_000)
    built |= failed(repo)
    built |= full(repo)
    roll_up(repo, layout, author, START + 7_200_000)
    return built


SCENARIOS: Mapping[str, Callable[[Repository], Built]] = {
    "minimal": minimal,
    "full": full,
    "failed": failed,
    "resumed": resumed,
    "events": events,
    "experiment": experiment,
    "ledger": ledger,
}
