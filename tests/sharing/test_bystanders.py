"""People who do not use gittrack notice nothing: git says the same, byte for byte, before and after 300 runs.

The same commands run in two worlds that are copies of one another at one path: a remote and two clones, with runs that
are shared, fetched and only here, and without any.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .conftest import Person

GIT_COMPLETION = (
    "/usr/share/bash-completion/completions/git",
    "/usr/share/git-core/contrib/completion/git-completion.bash",
    "/usr/share/git/completion/git-completion.bash",
    "/opt/homebrew/etc/bash_completion.d/git-completion.bash",
    "/usr/local/etc/bash_completion.d/git-completion.bash",
)
GIT_PROMPT = (
    "/usr/lib/git-core/git-sh-prompt",
    "/usr/share/git-core/contrib/completion/git-prompt.sh",
    "/usr/share/git/completion/git-prompt.sh",
    "/opt/homebrew/etc/bash_completion.d/git-prompt.sh",
    "/usr/local/etc/bash_completion.d/git-prompt.sh",
)
LOOKS = (
    "status", "status --short --branch", "branch -a -vv", "branch --contains HEAD~1", "log --oneline", "log --stat",
    "log --decorate=full --oneline", "log --oneline --branches --tags --remotes", "tag", "tag --contains HEAD~1",
    "ls-files", "stash list", "stash show -p", "describe --always", "describe --tags", "describe --all",
    "rev-parse main", "rev-parse HEAD~1", "rev-parse --abbrev-ref @{upstream}", "reflog", "worktree list",
    "remote -v", "remote show origin", "ls-remote --heads --tags origin", "shortlog -s HEAD", "blame train.py",
    "diff HEAD~1", "show --stat", "submodule status", "config --local --list", "check-ref-format --branch main",
    "fsck --no-dangling", "name-rev HEAD", "show-branch", "cherry", "notes list", "whatchanged -1", "grep print",
)  # fmt: skip
"""What only reads."""
CHANGES = (
    "fetch", "fetch --prune --prune-tags --dry-run", "fetch --prune", "fetch --all", "fetch --tags", "pull",
    "pull --rebase", "commit -q --allow-empty -m more", "push", "push --all", "push --tags", "push --follow-tags",
    "push --dry-run", "checkout -q -b topic", "push -u origin topic", "branch -d main", "checkout main",
    "branch -D topic", "push origin --delete topic", "merge --ff-only origin/main", "stash", "stash pop", "tag v2",
    "push origin v2", "remote prune origin", "remote update", "reset --hard", "rebase origin/main",
    "clean -n", "bisect reset",
)  # fmt: skip
"""What changes something, one after the other."""


class World:
    """A remote and two clones at one path, put back as they were before each use."""

    def __init__(self, tmp_path: Path, git: Callable[..., str]) -> None:
        self.root, self._aside = tmp_path / "world", tmp_path / "aside"
        self.remote = self.root / "remote.git"
        self.ann, self.bob = Person(self.root / "ann", "ann"), Person(self.root / "bob", "bob")
        self.root.mkdir()
        git("init", "-q", "--bare", str(self.remote), cwd=self.root)
        for person in (self.ann, self.bob):
            git("clone", "-q", str(self.remote), str(person.folder), cwd=self.root)
            person.git("config", "user.name", person.name)
            person.git("config", "user.email", f"{person.name}@example.com")
            person.git("config", "gc.auto", "6700")  # as it is in the world outside
            person.git("config", "gc.autoDetach", "false")
        self._fill()
        shutil.copytree(self.root, self._aside, symlinks=True)

    def _fill(self) -> None:
        for number in range(4):
            (self.ann.folder / "train.py").write_text("".join(f"print({line})\n" for line in range(number + 1)))
            self.ann.git("add", ".")
            self.ann.git("commit", "-qm", f"change {number}")
            self.ann.git("tag", "-am", f"v0.{number}", f"v0.{number}")
        self.ann.git("push", "-q", "--follow-tags", "origin", "main")
        self.ann.git("push", "-q", "origin", "main:refs/heads/other")
        self.bob.git("pull", "-q")
        self.ann.git("fetch", "-q")
        (self.ann.folder / "train.py").write_text("print('stashed')\n")
        self.ann.git("stash")
        (self.ann.folder / "new.txt").write_text("untracked\n")

    @contextmanager
    def fresh(self) -> Iterator[World]:
        shutil.rmtree(self.root)
        shutil.copytree(self._aside, self.root, symlinks=True)
        yield self


def record(world: World, count: int) -> None:
    """Runs of both: shared by either, fetched by the other, and only here."""
    here = []
    for person, is_shared in ((world.bob, True), (world.ann, True), (world.ann, False)):
        before = set(os.listdir(person.folder))
        for number in range(count // 3):
            person.run(f"run-{person.name}-{number}", params={"n": number})
        assert set(os.listdir(person.folder)) == before
        if is_shared:
            person.push()
        here.append(person)
    world.ann.fetch()
    assert len(world.ann.names()) == count
    kinds = {name.split("/")[1] + "/" + name.split("/")[2] for name in world.ann.refs()}
    assert kinds == {"runs-remote/origin", "runs/inbox"}
    assert "refs/runs/" in world.ann.git("ls-remote", "origin")


def answers(world: World, commands: Sequence[str]) -> dict[str, tuple[int, bytes, bytes]]:
    """What git says to each: its exit code, stdout and stderr."""
    dates = {"GIT_AUTHOR_DATE": "@1700000000 +0000", "GIT_COMMITTER_DATE": "@1700000000 +0000"}
    found = {}
    for command in commands:
        words = ["git", *command.split()]
        done = subprocess.run(
            words, cwd=world.ann.folder, env={**os.environ, **dates}, capture_output=True, check=False
        )
        found[command] = (done.returncode, done.stdout, done.stderr)
    return found


def test_git_says_the_same_with_and_without_runs(tmp_path, git, monkeypatch):
    monkeypatch.setenv("GITTRACK_QUIET", "1")
    world = World(tmp_path, git)
    everything: list[dict[str, object]] = []
    for count in (0, 300):
        with world.fresh():
            if count:
                record(world, count)
            found: dict[str, object] = dict(answers(world, LOOKS))
            for number, options in enumerate(("", "--depth=1 --no-local", "--single-branch", "--no-checkout --shared")):
                found[f"clone {options}"] = clone(world, f"clone-{number}", options.split())
            found |= shells(world)
            teammate_pushes(world)
            found |= answers(world, CHANGES)
            found["status after all"] = answers(world, LOOKS)
            found["files"] = sorted(os.listdir(world.ann.folder))
            everything.append(found)
    without, with_runs = everything
    different = {key: (without[key], with_runs[key]) for key in without if without[key] != with_runs[key]}
    assert different == {}
    failed = [key for key, answer in answers_of(without) if answer[0] and key not in MAY_FAIL]
    assert failed == [], "a command that fails compares nothing"


MAY_FAIL = ("branch -d main",)


def answers_of(found):
    return [(key, answer) for key, answer in found.items() if isinstance(answer, tuple)]


def clone(world: World, name: str, options: Sequence[str]) -> tuple[int, bytes, bytes, bytes]:
    """What a clone says, and the refs that it has."""
    place = world.root / name
    done = subprocess.run(["git", "clone", *options, str(world.remote), str(place)], capture_output=True, check=False)
    refs = subprocess.run(["git", "for-each-ref"], cwd=place, capture_output=True, check=True).stdout
    return done.returncode, done.stdout, done.stderr, refs


def teammate_pushes(world: World) -> None:
    world.bob.git("fetch", "-q")
    world.bob.git("checkout", "-q", "-B", "main", "origin/main")
    (world.bob.folder / "more.py").write_text("print('more')\n")
    world.bob.git("add", ".")
    date = {"GIT_AUTHOR_DATE": "@1700000001 +0000", "GIT_COMMITTER_DATE": "@1700000001 +0000"}
    subprocess.run(["git", "commit", "-qm", "bob's"], cwd=world.bob.folder, env={**os.environ, **date}, check=True)
    world.bob.git("push", "-q", "origin", "main")


def shells(world: World) -> dict[str, object]:
    """What git's own completion offers and its prompt shows, as far as they are installed."""
    found: dict[str, object] = {}
    for places, program in ((GIT_COMPLETION, "cur=; __git_refs; __git_heads; __git_tags"), (GIT_PROMPT, PROMPT)):
        for place in filter(os.path.exists, places):
            done = subprocess.run(
                ["bash", "-c", f"source {place}; {program}"], cwd=world.ann.folder, capture_output=True, check=False
            )
            assert done.stdout, done.stderr
            found[place] = (done.returncode, done.stdout, done.stderr)
    return found


PROMPT = (
    "GIT_PS1_SHOWDIRTYSTATE=1 GIT_PS1_SHOWSTASHSTATE=1 GIT_PS1_SHOWUNTRACKEDFILES=1 GIT_PS1_SHOWUPSTREAM=verbose; "
    "GIT_PS1_DESCRIBE_STYLE=contains; __git_ps1 '%s'; "
    "git checkout -q --detach HEAD~1; __git_ps1 '%s'; git checkout -q -"
)


def test_what_asks_for_all_refs_sees_them_and_can_be_told_not_to(people, git, tmp_path):
    """These ways out stand in docs/how-to/sharing.md."""
    ann, bob = people("ann"), people("bob")
    bob.run("shared")
    bob.push()
    ann.fetch()
    ann.run("here")
    plain = ann.git("log", "--format=%H")
    for command in ("log --all --format=%H", "rev-list --all"):
        words = command.split()
        assert ann.git(*words) != plain
        assert ann.git(words[0], "--exclude=refs/runs*", *words[1:]) == plain, command
    assert "refs/runs" in ann.git("for-each-ref")
    assert "refs/runs" not in ann.git("for-each-ref", "refs/heads", "refs/remotes", "refs/tags")
    decorated = ("-c", "log.initialDecorationSet=all", "log", "--all", "--decorate=full", "--oneline")
    assert "refs/runs" in ann.git(*decorated)
    ann.git("config", "log.excludeDecoration", "refs/runs*")
    assert "refs/runs" not in ann.git(*decorated)
    ann.git("config", "alias.everything", "log --exclude=refs/runs* --all --format=%H")
    assert ann.git("everything") == plain


def test_a_mirror_clone_takes_the_runs_along_unless_it_says_what_it_takes(people, git, tmp_path, remote):
    ann = people("ann")
    ann.run("shared")
    ann.push()
    git("clone", "-q", "--mirror", str(remote), str(tmp_path / "all.git"))
    assert "refs/runs/" in git("for-each-ref", cwd=tmp_path / "all.git")
    git("clone", "-q", "--bare", str(remote), str(tmp_path / "code.git"))
    specs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    git("fetch", "-q", "--prune", "origin", *specs, cwd=tmp_path / "code.git")
    assert "refs/runs/" not in git("for-each-ref", cwd=tmp_path / "code.git")


def test_a_push_with_mirror_from_an_ordinary_clone_deletes_the_ledgers_and_a_clone_that_knows_them_brings_them_back(
    people, remote
):
    ann, bob = people("ann"), people("bob")
    ann.run("shared")
    ann.push()
    bob.git("push", "-q", "--mirror", "origin")
    assert "refs/runs/2" not in ann.git("ls-remote", str(remote))
    found = ann.fetch()
    assert [len(ledger.lost) for ledger in found.rewritten] == [1]
    assert ann.names() == ["shared"], "what was there stays in use"
    assert len(ann.push().shared.rows) == 1
    assert bob.fetch().runs == 1
