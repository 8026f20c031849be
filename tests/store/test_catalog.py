"""What strangers put into ledgers and trees costs them their own line, and nobody else's run."""

from __future__ import annotations

import pytest

import gittrack
from gittrack.api.maintain import fsck, roll_up_now
from gittrack.api.project import Project
from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.reading import problem_of, read_stored
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.ledger import BATCH_FILE, LEDGER_FILE, BatchRow, encode_batch
from gittrack.core.records import Person
from gittrack.core.refs import LOCAL_PREFIX
from gittrack.errors import CorruptRecordError, FormatError, UnsupportedFormatError
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.store.catalog import current_commits, read_catalog, walk_ledger
from gittrack.store.run_reader import read_record

EVE = Person("Eve", "eve@example.com")


def opened() -> Repository:
    return Project.open().repo


def finished(name: str) -> ObjectId:
    with gittrack.start_run(name=name):
        pass
    return ObjectId(gittrack.get_run(name).commit)


def changed(repo: Repository, commit: ObjectId, files: dict[str, bytes], message: str | None = None) -> ObjectId:
    """The commit with other files, by Eve."""
    tree = {entry.path: entry.id for entry in repo.objects.list_tree(commit)} | files
    before = repo.objects.read_commit(commit)
    said = before.message if message is None else message
    return repo.objects.write_commit(repo.objects.write_tree(tree), list(before.parents), said, EVE, 1)


def ledger(repo: Repository, *batches: bytes | list[BatchRow]) -> ObjectId:
    """A ledger by Eve, oldest batch first; bytes are taken as they are."""
    root = b'format = 1\nmonth = "2025-10"\nname = "Eve"\nwriter = "eve"\n'
    tip = repo.objects.write_commit(repo.objects.write_tree({LEDGER_FILE: root}), [], "ledger\n", EVE, 1)
    for batch in batches:
        data = batch if isinstance(batch, bytes) else encode_batch(batch)
        parents = [] if isinstance(batch, bytes) else [row.commit for row in batch]
        tree = repo.objects.write_tree({BATCH_FILE: data})
        tip = repo.objects.write_commit(tree, [tip, *parents], "batch\n", EVE, 2)
    return tip


def fetched(repo: Repository, tip: ObjectId) -> str:
    name = RefName("refs/runs-remote/origin/2025-10/eve")
    repo.refs.transaction([RefUpdate(name, tip, None)])
    return str(name)


def row(run: str, commit: ObjectId) -> BatchRow:
    return BatchRow("run", gittrack.get_run(run).id, commit)


DAMAGED = {
    "no batch at all": (b"\xff", CorruptRecordError),
    "cut": (b"gittrack-batch\t1\nrun", CorruptRecordError),
    "no parent": (b"gittrack-batch\t1\nrun\t" + b"a" * 32 + b"\t" + b"b" * 40 + b"\n", CorruptRecordError),
    "a newer version": (b"gittrack-batch\t2\nanything", UnsupportedFormatError),
    "too large": (b"gittrack-batch\t1\n" + b"\n" * (65 << 10), CorruptRecordError),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_bad_batch_hides_no_older_batch_and_is_named(repo, kind):
    data, error = DAMAGED[kind]
    old, new = finished("old"), finished("new")
    objects = opened()
    sound = ledger(objects, [row("old", old)])
    tip = ledger(objects, [row("old", old)], data, [row("new", new)])
    bad = objects.objects.read_commit(tip).parents[0]
    name = fetched(objects, tip)
    catalog = read_catalog(opened())
    assert [problem.where for problem in catalog.problems] == [f"{name} commit {bad}"]
    assert all("eve" in writers for commits in catalog.runs.values() for writers in commits.values())
    assert len(catalog.runs) == 2
    assert [finding.where for finding in fsck(Project.open())] == [f"{name} commit {bad}"]
    with pytest.raises(error):
        list(walk_ledger(objects, tip))
    assert [each.commit for each in walk_ledger(objects, sound)] == [old]


def test_a_ref_to_a_history_that_is_no_ledgers_is_one_problem(repo, git):
    for number in range(3):
        git("commit", "--quiet", "--allow-empty", f"--message={number}")
    tip = ObjectId(git("rev-parse", "HEAD").strip())
    objects = opened()
    name = fetched(objects, tip)
    assert [problem.where for problem in read_catalog(objects).problems] == [name]


def test_a_bad_batch_of_our_own_ledger_hides_no_run_of_it(repo):
    finished("old")
    roll_up_now(Project.open())
    objects = opened()
    ((name, tip),) = objects.refs.list(LOCAL_PREFIX)
    bad = objects.objects.write_commit(
        objects.objects.write_tree({BATCH_FILE: b"gittrack-batch\t9\n"}), [tip], "batch\n", EVE, 2
    )
    objects.refs.transaction([RefUpdate(name, bad, tip)])
    finished("new")
    assert {run.name for run in gittrack.runs()} == {"old", "new"}


def test_a_forged_commit_of_my_run_is_never_shown_before_mine(repo):
    mine = finished("mine")
    objects = opened()
    message = objects.objects.read_commit(mine).message
    forged = next(
        commit
        for number in range(64)
        if (commit := changed(objects, mine, {}, message.replace("mine", f"forged-{number}"))) < mine
    )
    fetched(objects, ledger(objects, [row("mine", forged)]))
    (run,) = gittrack.runs()
    assert (run.name, run.commit, run.conflicts) == ("mine", mine, (forged,))
    assert current_commits(objects, {mine: {"ann"}, forged: {"eve"}}) == [forged, mine]


@pytest.mark.parametrize("digest", ["md5:ab/dev/zero", "md5:../../x", "", "md5:" + "A" * 32, "md5:" + "a" * 33])
def test_a_digest_that_is_none_names_no_file(tmp_path, digest):
    with pytest.raises(CorruptRecordError, match="not the digest"):
        BytesStore(tmp_path).path(digest)
    with pytest.raises(CorruptRecordError):
        problem_of(BytesStore(tmp_path), digest, 1)
    with pytest.raises(CorruptRecordError):
        read_stored(BytesStore(tmp_path), digest, "x")


def test_fsck_ends_and_names_a_run_whose_digest_is_a_path(repo):
    sound, objects = finished("sound"), opened()
    finished("victim")
    entry = b'path = "x"\nsize = 1\ndigest = "md5:ab/dev/zero"\nmedia_type = ""\nstorage = "pointer"\n'
    victim = gittrack.get_run("victim")
    bad = changed(objects, ObjectId(victim.commit), {"artifacts.toml": b"[[artifact]]\n" + entry})
    objects.refs.transaction([RefUpdate(RefName(f"refs/runs/inbox/{victim.id}"), bad, ObjectId(victim.commit))])
    with pytest.raises(FormatError):
        read_record(opened(), bad)
    assert read_record(opened(), sound).name == "sound"
    assert [(each.where, "not the digest" in each.reason) for each in fsck(Project.open())] == [
        (f"run {victim.id}", True)
    ]


@pytest.mark.parametrize(
    "params",
    ['{"x":' + "[" * 700 + "]" * 700 + "}", '{"x":1' + "0" * 4250 + "}", '{"x":"\\ud800"}', '{"x":1e999}'],
    ids=["deep", "long", "half a character", "infinite"],
)
def test_one_bad_message_keeps_no_listing_from_the_others(repo, gittrack_cli, params):
    finished("sound")
    victim, objects = finished("victim"), opened()
    message = objects.objects.read_commit(victim).message
    assert '"params":{}' in message
    bad = changed(objects, victim, {}, message.replace('"params":{}', f'"params":{params}'))
    id = gittrack.get_run("victim").id
    objects.refs.transaction([RefUpdate(RefName(f"refs/runs/inbox/{id}"), bad, victim)])
    for format in ("--json", "--csv"):
        done = gittrack_cli("ls", format)
        assert "sound" in done.stdout
        assert "Traceback" not in done.stderr
        assert "crash" not in done.stderr


def test_a_run_with_a_status_of_a_later_version_is_listed_and_shown(repo, gittrack_cli):
    run, objects = finished("later"), opened()
    body = objects.objects.read_file(run, "run.toml")
    message = objects.objects.read_commit(run).message.replace('"status":"finished"', '"status":"paused"')
    later = changed(objects, run, {"run.toml": body.replace(b'"finished"', b'"paused"')}, message)
    id = gittrack.get_run("later").id
    objects.refs.transaction([RefUpdate(RefName(f"refs/runs/inbox/{id}"), later, run)])
    for words in (["ls"], ["ls", "--json"], ["ls", "--csv"], ["show", "later"], ["show", "--json", "later"]):
        done = gittrack_cli(*words)
        assert done.returncode == 0, done.stderr
        assert "paused" in done.stdout
    assert gittrack.runs()[0].status == "paused"
    assert fsck(Project.open()) == []


def test_points_kept_outside_git_are_named_and_are_no_damage(repo):
    with gittrack.start_run(name="large") as run:
        run.log_metric("loss", 0.5)
    objects = opened()
    commit = ObjectId(gittrack.get_run("large").commit)
    tree = {entry.path: entry.id for entry in objects.objects.list_tree(commit)}
    tree["metrics/loss.csv.dvc"] = objects.objects.write_blob(b"outs: []\n")
    del tree["metrics/loss.csv"]
    before = objects.objects.read_commit(commit)
    moved = objects.objects.write_commit(objects.objects.write_tree(tree), list(before.parents), before.message, EVE, 1)
    objects.refs.transaction([RefUpdate(RefName(f"refs/runs/inbox/{run.id}"), moved, commit)])
    saved = gittrack.get_run("large")
    assert saved.metrics == {"loss": 0.5}
    with pytest.raises(UnsupportedFormatError, match="outside git"):
        saved.history("loss")
    assert fsck(Project.open()) == []


def test_of_a_ledger_with_a_damaged_batch_the_roll_up_knows_the_sound_ones(repo):
    """A run that the ledger holds below the damage leaves the inbox, as it would without the damage."""
    old = finished("old")
    objects = opened()
    damaged = ledger(objects, [row("old", old)], b"\xff")
    objects.refs.transaction([RefUpdate(RefName(LOCAL_PREFIX + "2025-10"), damaged, None)])
    roll_up_now(Project.open())
    assert [name for name, _ in objects.refs.list("refs/runs/inbox/")] == []
