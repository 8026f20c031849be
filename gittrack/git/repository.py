"""The repository: where it lies, what it is set to, and the doors to its objects and refs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gittrack.core.ids import ObjectId, RefName
from gittrack.git.discovery import Location, locate
from gittrack.git.failures import opening_error, pygit2_errors
from gittrack.git.program import run_git

if TYPE_CHECKING:
    import pygit2

    from gittrack.git.objects import ObjectStore
    from gittrack.git.refs import RefStore
    from gittrack.git.snapshot import MadeSnapshot

_HEADS = "refs/heads/"
_NO_SUCH_REVISION = 1
_FATAL = 128


class Head(NamedTuple):
    """What is checked out: ``commit`` is None when unborn, ``branch`` (its short name) None when detached."""

    commit: ObjectId | None
    branch: str | None


class Repository:
    """A git repository, opened for as long as a command or a run lasts.

    Attributes:
        git_dir: this worktree's git directory.
        common_dir: the git directory that all worktrees share.
        work_tree: the directory of the files; None when bare.
        snapshots: those made through this object, with what it takes to look for them and to make them again.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self.git_dir = location.git_dir
        self.common_dir = location.common_dir
        self.work_tree = location.work_tree
        self.snapshots: dict[ObjectId, MadeSnapshot] = {}
        self._handle: pygit2.Repository | None = None
        self._config: Mapping[str, str] | None = None
        self._values: dict[str, list[str]] = {}

    # Neither is loaded before it is needed: a question that the index answers needs neither.
    @cached_property
    def objects(self) -> ObjectStore:
        """Its objects."""
        from gittrack.git.objects import ObjectStore

        return ObjectStore(self.common_dir, self._open)

    @cached_property
    def refs(self) -> RefStore:
        """Its refs."""
        from gittrack.git.refs import RefStore

        return RefStore(self._location, self._open)

    @classmethod
    def discover(cls, start: Path) -> Repository:
        """The repository around ``start``: from a subdirectory, a linked worktree, a submodule, a bare repository.

        Raises:
            NotARepositoryError: there is none.
            UnsupportedRepositoryError: SHA-256 or reftable.
            RepositoryError: another user owns it and git does not trust it.

        Example:
            ``Repository.discover(Path.cwd()).head().branch``
        """
        return cls(locate(start))

    def reopened(self) -> Repository:
        """The same repository with nothing cached."""
        return Repository(self._location)

    def mending(self) -> Repository:
        """The same repository, writing anew what lies there damaged (cut short, a flipped bit) when it is written."""
        from gittrack.git.objects import ObjectStore

        found = self.reopened()
        found.objects = ObjectStore(self.common_dir, found._open, mends=True)
        return found

    def _open(self) -> pygit2.Repository:
        if self._handle is None:
            import pygit2
            from pygit2.enums import Option

            # Libgit2 syncs nothing unless told so; the switch is the process's, and setting it again costs nothing.
            pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
            try:
                self._handle = pygit2.Repository(str(self.git_dir))
            except pygit2_errors() as error:
                raise opening_error(error, self.git_dir) from error
        return self._handle

    def config(self) -> Mapping[str, str]:
        """All of git's configuration as git itself reads it, once: discover anew to see changes.

        Keys are ``section.subsection.name``, lower case but for the subsection; the last value wins, and a name
        without a value is ``"true"``. (Libgit2 would not see ``GIT_CONFIG_GLOBAL`` and the like.)
        """
        if self._config is None:
            output = run_git(["config", "--list", "-z"], cwd=self.git_dir, git_dir=self.git_dir)
            settings: dict[str, str] = {}
            self._values = {}
            for item in output.decode("utf-8", "replace").split("\0")[:-1]:
                key, equals, value = item.partition("\n")
                settings[key] = value if equals else "true"
                self._values.setdefault(key, []).append(settings[key])
            self._config = settings
        return self._config

    def config_values(self, key: str) -> list[str]:
        """All values of a setting that may have several, such as the URLs of a remote; an empty one drops those before.

        ``key`` as in :meth:`config`.
        """
        self.config()
        values = self._values.get(key, [])
        empty = [place for place, value in enumerate(values) if not value]
        return values[empty[-1] + 1 :] if empty else values

    def head(self) -> Head:
        """What is checked out in this worktree."""
        handle = self._open()
        try:
            target = handle.lookup_reference("HEAD").target
        except pygit2_errors() as error:
            raise opening_error(error, self.git_dir) from error
        if not isinstance(target, str):
            return Head(ObjectId(str(target)), None)
        branch = target.removeprefix(_HEADS) if target.startswith(_HEADS) else None
        return Head(self.refs.get(RefName(target)), branch)

    def cut_off(self) -> frozenset[ObjectId]:
        """The commits whose parents are not here, as in the shallow clones that CI makes; mostly none."""
        try:
            text = (self.common_dir / "shallow").read_text("ascii", "replace")
        except FileNotFoundError:
            return frozenset()
        return frozenset(map(ObjectId, text.split()))

    def resolve(self, revision: str) -> ObjectId | None:
        """The commit that a revision in git's own words names (``HEAD~2``, ``v1.0``, ``:/text``); None if none."""
        if not revision or "\0" in revision:
            return None
        if revision.startswith(":/") or "^{/" in revision:  # a search takes all that follows as its text
            found = self._rev_parse(revision)
            return None if found is None else self._rev_parse(found + "^{commit}")
        return self._rev_parse(revision + "^{commit}")

    def _rev_parse(self, revision: str) -> ObjectId | None:
        output = run_git(
            ["-c", "core.disambiguate=committish", "rev-parse", "--verify", "--quiet", "--end-of-options", revision],
            cwd=self.git_dir,
            git_dir=self.git_dir,
            ok_codes=(0, _NO_SUCH_REVISION, _FATAL),
        )
        return ObjectId(output.decode().strip()) if output.strip() else None

    def remote_url(self, branch: str | None) -> str | None:
        """The URL of the branch's remote, else of ``origin``, as it is configured, credentials included."""
        config = self.config()
        names = ["origin"]
        if branch is not None and f"branch.{branch}.remote" in config:
            names.insert(0, config[f"branch.{branch}.remote"])
        for name in names:
            urls = self.config_values(f"remote.{name}.url")
            if urls:
                return urls[0]  # the one that git fetches from
            if "://" in name:  # git lets a branch name its remote by URL
                return name
        return None
