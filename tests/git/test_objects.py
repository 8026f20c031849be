"""Objects: what is written is what git reads; what is damaged or hostile is refused."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gittrack.core.records import Person
from gittrack.errors import CorruptRecordError, InvalidNameError, InvalidValueError, StorageError
from gittrack.git.objects import ObjectStore, TreeEntry
from gittrack.git.repository import Repository
from gittrack.git.trees import EMPTY_TREE, format_tree, is_unsafe_part

ME = Person("Ada Łovelace", "ada@example.com")

letters = st.characters(exclude_categories=("Cs",), exclude_characters="/\0")
parts = st.text(letters, min_size=1, max_size=12).filter(lambda text: not is_unsafe_part(text))
awkward = st.sampled_from(["a", "a.b", "a-b", "a0", "A", ".gitignore", "a b", "%", "ä", "\\", "-x", '"', "数"])
paths = st.lists(parts | awkward, min_size=1, max_size=4).map("/".join)


@pytest.fixture
def store(repo) -> ObjectStore:
    return Repository.discover(repo).objects


@pytest.fixture
def commit_of(store, repo, git):
    """Make a commit of a tree given as raw bytes, with no check at all."""

    def make(tree: bytes) -> str:
        done = subprocess.run(
            ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
            input=tree,
            cwd=repo,
            capture_output=True,
            check=True,
        )
        return store.write_commit(done.stdout.decode().strip(), [], "hostile\n", ME, 1)

    return make


def _drop_clashes(files):
    return {path: data for path, data in files.items() if not any(other.startswith(path + "/") for other in files)}


@given(files=st.dictionaries(paths, st.binary(max_size=30), max_size=12).map(_drop_clashes))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tree_is_read_back_as_written_and_as_git_reads_it(store, repo, files):
    tree = store.write_tree(files)
    commit = store.write_commit(tree, [], "x\n", ME, 0)
    listed = store.list_tree(commit)
    assert {entry.path: store.read_blob(entry.id) for entry in listed} == files
    for path, data in files.items():
        assert store.read_file(commit, path) == data
    output = subprocess.run(["git", "ls-tree", "-r", "-z", tree], cwd=repo, capture_output=True, check=True).stdout
    lines = [line.partition("\t") for line in output.decode().split("\0")[:-1]]
    assert sorted((name, head.split()[2]) for head, _, name in lines) == [(entry.path, entry.id) for entry in listed]
    subprocess.run(["git", "fsck", "--strict", "--no-dangling"], cwd=repo, capture_output=True, check=True)


def test_entries_are_sorted_as_git_sorts_them(store, git):
    tree = store.write_tree({"a/x": b"1", "a.b": b"2", "a0": b"3", "a-": b"4"})
    assert git("ls-tree", "--name-only", tree).split() == ["a-", "a.b", "a", "a0"]
    git("fsck", "--strict")


def test_the_empty_tree_is_gits(store, git):
    assert store.write_tree({}) == EMPTY_TREE
    assert git("ls-tree", EMPTY_TREE) == ""


def test_a_blob_stored_already_is_used_by_its_id(store, git):
    blob = store.write_blob(b"data")
    tree = store.write_tree({"d/f": blob, "g": b"data"})
    assert git("ls-tree", "-r", tree).count(blob) == 2
    with pytest.raises(StorageError, match="is not in the repository"):
        store.write_tree({"f": "1" * 40})


@pytest.mark.parametrize(
    "path",
    [
        *("", "/a", "a//b", "a/", ".", "..", "a/../b", "a/./b", "a\0b", "\udc80"),
        *(".git", "a/.GIT/config", ".git.", ".git ", "GIT~1"),
    ],
)
def test_unsafe_paths_are_never_written(store, path):
    with pytest.raises(InvalidNameError):
        store.write_tree({path: b""})


@pytest.mark.parametrize("files", [{"a": b"", "a/b": b""}, {"a/b": b"", "a": b""}, {"a/b/c": b"", "a/b": b""}])
def test_a_file_cannot_be_a_directory_too(store, files):
    with pytest.raises(InvalidNameError):
        store.write_tree(files)


def test_a_commit_is_read_back_and_git_agrees(store, git):
    first = store.write_commit(EMPTY_TREE, [], "erstes ü\n\nbody\n", ME, 1_700_000_000)
    second = store.write_commit(EMPTY_TREE, [first, git("rev-parse", "HEAD").strip()], "two", ME, -5)
    read = store.read_commit(first)
    assert (read.tree, read.parents, read.message) == (EMPTY_TREE, (), "erstes ü\n\nbody\n")
    assert (read.author, read.author_time, read.commit_time) == (ME, 1_700_000_000, 1_700_000_000)
    assert store.read_commit(second).parents == (first, git("rev-parse", "HEAD").strip())
    assert store.read_commit(second).author_time == 0
    assert git("log", "-1", "--format=%an <%ae> %at %cn %ci", first) == (
        "Ada Łovelace <ada@example.com> 1700000000 Ada Łovelace 2023-11-14 22:13:20 +0000\n"
    )
    git("fsck", "--strict")


@pytest.mark.parametrize(
    "person", [Person("", ""), Person("a<b>\nc", "x>y\n\0"), Person("\udc80", "é@x"), Person(".", "<>")]
)
def test_any_name_makes_a_sound_commit(store, git, person):
    commit = store.write_commit(EMPTY_TREE, [], "x\n", person, 1)
    assert store.read_commit(commit).author.name
    git("fsck", "--strict")


def test_messages_that_git_cannot_hold_are_refused(store):
    for message in ("a\0b", "\udc80"):
        with pytest.raises(InvalidValueError):
            store.write_commit(EMPTY_TREE, [], message, ME, 1)


def test_signed_commits_of_the_user_are_read(store, repo, git):
    text = git("cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN\n \n tree 0000\n -----END\nencoding latin-1\n\n", 1
    )
    id = git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text).strip()
    assert store.read_commit(id).message == "first\n"


def test_objects_that_another_process_writes_and_packs_are_seen(store, git):
    assert not store.has("1" * 40)
    blob = git("hash-object", "-w", "--stdin", stdin="late").strip()
    assert store.has(blob)
    tree = git("mktree", stdin=f"100644 blob {blob}\tf\n").strip()
    git("update-ref", "refs/runs/x", git("commit-tree", "-m", "x", tree).strip())
    git("gc", "-q", "--prune=now")
    assert store.read_blob(blob) == b"late"
    assert store.missing([blob, "1" * 40, tree]) == ["1" * 40]
    git("repack", "-adq", "--depth=1")
    assert store.read_blob(blob) == b"late"


def test_all_objects_are_named_once_parents_not(store, git):
    base = git("rev-parse", "HEAD").strip()
    commit = store.write_commit(store.write_tree({"a/x": b"1", "a/y": b"1", "b": b"2"}), [base], "x", ME, 1)
    ids = store.all_objects_of(commit)
    expected = git("rev-list", "--objects", "--no-object-names", commit, f"^{base}").split()
    assert sorted(ids) == sorted(expected)
    assert len(set(ids)) == len(ids)


def test_what_is_absent_is_none_and_what_is_no_file_is_an_error(store, git, repo, commit_of):
    commit = store.write_commit(store.write_tree({"a/b": b"1"}), [], "x", ME, 1)
    for path in ("c", "a/c", "a/b/c", "x/y"):
        assert store.read_file(commit, path) is None
    with pytest.raises(CorruptRecordError, match="not a file"):
        store.read_file(commit, "a")
    blob = store.write_blob(b"/etc/passwd")
    link = commit_of(b"120000 run.toml\0" + bytes.fromhex(blob))
    with pytest.raises(CorruptRecordError, match="not a file"):
        store.read_file(link, "run.toml")


def test_limits_are_kept(store):
    commit = store.write_commit(store.write_tree({"big": bytes(5000), "b": b"", "c/d": b""}), [], "x", ME, 1)
    assert store.read_file(commit, "big", 5000) == bytes(5000)
    with pytest.raises(CorruptRecordError, match="5000 bytes, more than the 4999"):
        store.read_file(commit, "big", 4999)
    assert len(store.list_tree(commit, 4)) == 3
    with pytest.raises(CorruptRecordError, match="more than 3 entries"):
        store.list_tree(commit, 3)


def test_limits_are_kept_for_packed_objects_too(store, git, repo):
    blob = store.write_blob(bytes(5000))
    git("update-ref", "refs/runs/x", store.write_commit(store.write_tree({"f": blob}), [], "x", ME, 1))
    git("gc", "-q", "--prune=now")
    assert not (repo / ".git" / "objects" / blob[:2] / blob[2:]).exists()
    with pytest.raises(CorruptRecordError, match="more than the 4999"):
        store.read_blob(blob, 4999)
    assert store.read_blob(blob, 5000) == bytes(5000)


HASH = bytes.fromhex("ce013625030ba8dba906f756967f9e9ca394464a")
HOSTILE_TREES = {
    "dot dot": b"100644 ..\0" + HASH,
    "dot git": b"40000 .git\0" + HASH,
    "dot git in capitals": b"40000 .Git\0" + HASH,
    "slash": b"100644 /etc/passwd\0" + HASH,
    "inner slash": b"100644 a/b\0" + HASH,
    "empty name": b"100644 \0" + HASH,
    "no hash": b"100644 a\0" + HASH[:10],
    "no name": b"100644",
    "not utf-8": b"100644 \xff\xfe\0" + HASH,
    "symlink": b"120000 a\0" + HASH,
    "submodule": b"160000 a\0" + HASH,
    "group-writable": b"100664 a\0" + HASH,
    "strange mode": b"777777 a\0" + HASH,
    "no mode": b" a\0" + HASH,
    "mode of letters": b"xyz a\0" + HASH,
    "twice": b"100644 a\0" + HASH + b"100644 a\0" + HASH,
    "trailing bytes": b"100644 a\0" + HASH + b"\n",
}


@pytest.mark.parametrize("tree", HOSTILE_TREES.values(), ids=HOSTILE_TREES.keys())
def test_a_hostile_tree_is_refused(store, commit_of, tree):
    with pytest.raises(CorruptRecordError):
        store.list_tree(commit_of(tree))


def test_a_backslash_in_a_name_is_only_a_character(store, commit_of):
    commit = commit_of(b"100644 a\\..\\b\0" + HASH)
    assert store.list_tree(commit) == [TreeEntry("a\\..\\b", 0o100644, HASH.hex())]


def test_trees_nested_without_end_or_without_number_are_refused(store, commit_of):
    tree = store.write_tree({})
    for _ in range(20):
        tree = store._write("tree", format_tree([(0o40000, "a", tree)]), "a directory")
    deep = store.write_commit(tree, [], "x", ME, 1)
    with pytest.raises(CorruptRecordError, match="nested deeper"):
        store.list_tree(deep)
    tree = store.write_tree({"x": b""})
    for _ in range(12):
        tree = store._write("tree", format_tree([(0o40000, str(n), tree) for n in range(30)]), "a directory")
    bomb = store.write_commit(tree, [], "x", ME, 1)
    with pytest.raises(CorruptRecordError, match="more than 20000 entries"):
        store.list_tree(bomb)


def test_the_wrong_kind_and_the_wrong_id_are_refused(store, git):
    blob = store.write_blob(b"x")
    with pytest.raises(CorruptRecordError, match="is a blob, not a commit"):
        store.read_commit(blob)
    with pytest.raises(CorruptRecordError, match="is not in the repository"):
        store.read_commit("1" * 40)
    for id in ("1" * 64, "../../etc", "", "HEAD", "A" * 40):
        with pytest.raises(CorruptRecordError, match="not an object id"):
            store.read_blob(id)


@pytest.mark.parametrize(
    "text", ["", "tree 1\n\nx", "tree {tree}\n\nx", "tree {tree}\nparent zz\nauthor {who}\ncommitter {who}\n\n"]
)
def test_a_commit_without_its_fields_is_refused(store, git, text):
    text = text.format(tree=EMPTY_TREE, who="a <b> 1 +0000")
    id = git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text).strip()
    with pytest.raises(CorruptRecordError):
        store.read_commit(id)


def _loose(repo: Path, id: str) -> Path:
    path = repo / ".git" / "objects" / id[:2] / id[2:]
    path.chmod(0o644)
    return path


def test_a_loose_object_cut_anywhere_is_refused_and_never_read_without_end(store, repo):
    data = b"hello " * 40 + os.urandom(40)
    id = store.write_blob(data)
    path = _loose(repo, id)
    whole = path.read_bytes()
    signal.alarm(60)  # libgit2 would never return
    try:
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(CorruptRecordError):
                store.read_blob(id)
    finally:
        signal.alarm(0)
    path.write_bytes(whole)
    assert store.read_blob(id) == data


def test_a_loose_object_with_any_flipped_byte_is_refused_or_unharmed(store, repo):
    data = b"step,timestamp,value\n" * 4
    id = store.write_blob(data)
    path = _loose(repo, id)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x15]) + whole[position + 1 :])
        try:
            assert store.read_blob(id) == data
        except CorruptRecordError:
            refused += 1
    assert refused > len(whole) // 2


def test_an_object_that_holds_other_bytes_is_refused(store, repo):
    id = store.write_blob(b"right")
    _loose(repo, id).write_bytes(zlib.compress(b"blob 5\0wrong"))
    with pytest.raises(CorruptRecordError, match="another id"):
        store.read_blob(id)


def test_an_empty_object_left_by_a_power_loss_is_missing_and_is_written_again(store, repo):
    id = store.write_blob(b"precious")
    _loose(repo, id).write_bytes(b"")
    assert store.missing([id]) == [id]
    assert store.write_blob(b"precious") == id
    assert store.read_blob(id) == b"precious"


def test_an_id_that_was_not_kept_is_an_error(store, monkeypatch):
    monkeypatch.setattr("gittrack.git.objects.write_loose", lambda directory, kind, data: "2" * 40)
    with pytest.raises(StorageError, match="is the disk full"):
        store.write_blob(b"x")


FULL = """
import os, sys
from pathlib import Path
from gittrack.core.records import Person
from gittrack.errors import StorageError
from gittrack.git.repository import Repository
repo = Repository.discover(Path(sys.argv[1]))
stored = []
try:
    for number in range(10_000):
        tree = repo.objects.write_tree({"a": os.urandom(3000), "b/c": os.urandom(int(sys.argv[2]))})
        commit = repo.objects.write_commit(tree, [], "x", Person("a", "b"), number)
        repo.refs.create(f"refs/runs/inbox/{number:032x}", commit)
        stored.append(commit)
except StorageError as error:
    print(error.message)
for commit in stored:
    fresh = repo.reopened().objects
    assert all(fresh.has(id) for id in fresh.all_objects_of(commit))
    assert fresh.read_file(commit, "a") is not None
print(len(stored))
"""


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting takes root")
@pytest.mark.parametrize("size", [10, 700, 2900])
def test_on_a_full_disk_what_is_said_to_be_stored_is_stored(tmp_path, git, project_env, size):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        git("init", "-q", "--template=", str(disk))
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(disk), str(size)],
            env=project_env,
            capture_output=True,
            text=True,
            check=True,
        )
        message, count = done.stdout.splitlines()
        assert f"the disk of '{disk}" in message and "is full" in message
        assert int(count) > 5
        git("fsck", cwd=disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_size_limit_is_a_storage_error(repo):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            Repository.discover(repo).objects.write_blob(os.urandom(5000))
        except StorageError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_git_directory_without_permission_is_a_storage_error_with_the_reason(repo, project_env):
    program = (
        "import os, sys; from pathlib import Path; from gittrack.git.repository import Repository\n"
        "from gittrack.errors import StorageError\n"
        "store = Repository.discover(Path('.')).objects; store.has('1' * 40)\n"
        "os.geteuid() == 0 and os.setuid(12345)\n"
        "try: store.write_blob(b'x' * 10)\n"
        "except StorageError as error: print(error.message)\n"
    )
    objects = repo / ".git" / "objects"
    objects.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], env=project_env, cwd=repo, capture_output=True, text=True, check=True
        )
    finally:
        objects.chmod(0o755)
    assert "is not writable" in done.stdout
