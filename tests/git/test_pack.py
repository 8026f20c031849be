"""One pack for a batch: complete, checked, and safe from gc while refs move."""

from __future__ import annotations

import random

import pytest

from gittrack.core.records import Person
from gittrack.errors import GitProgramError, InvalidValueError, StorageError
from gittrack.git.pack import pack_batch, verify
from gittrack.git.repository import Repository

ME = Person("a", "a@b")


@pytest.fixture
def batch(repo, git):
    """A repository, the code commit, and three run commits on top of it that no ref holds."""
    found = Repository.discover(repo)
    code = git("rev-parse", "HEAD").strip()
    csv = b"step,value\n" + b"".join(b"%d,%d\n" % (n, n) for n in range(500))
    runs = [
        found.objects.write_commit(
            found.objects.write_tree({"run.toml": b"%d" % n, "metrics/loss.csv": csv + b"%d" % n}), [code], "x", ME, n
        )
        for n in range(3)
    ]
    return found, code, runs


def test_a_pack_holds_the_batch_and_not_the_code(batch, git):
    repo, code, runs = batch
    expected = [id for run in runs for id in repo.objects.all_objects_of(run)]
    with pack_batch(repo, runs, [code]) as pack:
        verify(repo, pack, expected)
        assert pack.with_suffix(".keep").exists()
        with pytest.raises(StorageError, match="lacks 1 objects"):
            verify(repo, pack, [*expected, code])
    assert pack.exists()
    assert not pack.with_suffix(".keep").exists()
    assert list((repo.common_dir / "gittrack" / "tmp").iterdir()) == []
    git("fsck", "--strict")


def test_gc_takes_nothing_while_the_pack_is_held(batch, git):
    repo, code, runs = batch
    with pack_batch(repo, runs, [code]) as pack:
        git("gc", "-q", "--prune=now")
        git("repack", "-adq")
        assert pack.exists()
        for number, run in enumerate(runs):
            repo.refs.create(f"refs/runs/inbox/{number}", run)
    git("gc", "-q", "--prune=now")
    fresh = repo.reopened().objects
    for run in runs:
        assert fresh.missing(fresh.all_objects_of(run)) == []
    git("fsck", "--strict")


def test_metric_files_get_no_search_for_deltas_and_others_do(batch, git):
    repo, code, runs = batch
    text = [b"".join(b"line %d\n" % n for n in range(500)) + b"%d" % k for k in range(4)]
    tree = repo.objects.write_tree({f"notes{k}.txt": data for k, data in enumerate(text)})
    extra = repo.objects.write_commit(tree, [], "x", ME, 9)
    with pack_batch(repo, [*runs, extra], [code]) as pack:
        listing = [line.split() for line in git("verify-pack", "-v", str(pack)).splitlines()]
    deltas = {fields[0] for fields in listing if len(fields) == 7}
    metrics = {repo.objects.write_blob(repo.objects.read_file(run, "metrics/loss.csv")) for run in runs}
    assert not deltas & metrics
    assert deltas, "the text files are deltas of one another"


def test_the_users_pack_settings_do_not_split_it(batch, git):
    repo, code, runs = batch
    git("config", "pack.packSizeLimit", "1m")
    noise = random.Random(1)
    tree = repo.objects.write_tree({f"f{n}": noise.randbytes(600_000) for n in range(4)})
    big = repo.objects.write_commit(tree, [], "x", ME, 1)
    with pack_batch(repo, [*runs, big], [code]) as pack:
        verify(repo, pack, repo.objects.all_objects_of(big))


def test_nothing_to_pack_is_said(batch):
    repo, code, _ = batch
    with pytest.raises(InvalidValueError, match="nothing to pack"), pack_batch(repo, [code], [code]):
        pass


def test_a_missing_object_stops_the_pack(batch):
    repo, code, runs = batch
    blob = repo.objects.list_tree(runs[1])[0].id
    (repo.common_dir / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitProgramError), pack_batch(repo, runs, [code]):
        pass
    assert list((repo.common_dir / "gittrack" / "tmp").iterdir()) == []
    assert list((repo.common_dir / "objects" / "pack").glob("pack-*")) == []


def test_a_failure_inside_the_block_lets_go(batch):
    repo, code, runs = batch
    with pytest.raises(ZeroDivisionError), pack_batch(repo, runs, [code]) as pack:
        raise ZeroDivisionError
    assert not pack.with_suffix(".keep").exists()


def test_a_keep_of_somebody_else_stays(batch):
    repo, code, runs = batch
    with pack_batch(repo, runs, [code]) as pack:
        pass
    pack.with_suffix(".keep").write_text("mine\n")
    with pack_batch(repo, runs, [code]) as again:
        assert again == pack
    assert pack.with_suffix(".keep").read_text() == "mine\n"


def test_a_damaged_pack_is_found(batch):
    repo, code, runs = batch
    with pack_batch(repo, runs, [code]) as pack:
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)
        with pytest.raises(StorageError, match="is damaged"):
            verify(repo, pack, runs)
