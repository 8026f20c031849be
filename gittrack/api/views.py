"""Saved views in the work tree, ``.gittrack/views/<name>.toml``: read, listed, saved, removed.

Whoever one clones from may have put links and devices there: no link is followed, only files are read, and nothing is
written or removed elsewhere. Git is never told of a view: adding and committing it is for its author.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gittrack.core.names import display
from gittrack.core.view import MAX_VIEW_BYTES, VIEWS_FOLDER, View, check_view, check_view_name, parse_view, view_bytes
from gittrack.core.view import view_path as path_of
from gittrack.errors import ConflictError, GittrackError, NotFoundError, StorageError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project

_SUFFIX = ".toml"
_MOST_VIEWS = 1000
"""A file takes milliseconds to check; who fills a repository with them must not stop whoever clones it."""
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class BrokenView:
    """A file among the views that is none: its path in the work tree, why, and how to mend it."""

    path: str
    reason: str
    hint: str


def list_views(project: Project) -> tuple[list[View], list[BrokenView]]:
    """All views by name, and the files that are none.

    Raises:
        StorageError: their folder cannot be read.
    """
    views, broken = [], []
    names = _names(project)
    for name in names[:_MOST_VIEWS]:
        try:
            views.append(read_view(project, name))
        except GittrackError as error:
            path = display(path_of(name), 120)
            reason = error.message.removeprefix(f"{path} ")
            reason = reason if reason == error.message else f"it {reason}"
            broken.append(BrokenView(path, reason, error.hint or "gittrack views"))
    if len(names) > _MOST_VIEWS:
        reason = f"{len(names) - _MOST_VIEWS} more files are there than are looked at"
        broken.append(BrokenView("/".join(VIEWS_FOLDER), reason, "gittrack views show NAME"))
    return views, broken


def _names(project: Project) -> list[str]:
    try:
        with _folder(project) as folder:
            listed = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    return [name.removesuffix(_SUFFIX) for name in listed if name.endswith(_SUFFIX) and not name.startswith(".")]


def read_view(project: Project, name: str) -> View:
    """A view by its name, without the ``@``.

    Raises:
        NotFoundError: there is none; names a near one.
        InvalidNameError: no view can be called so.
        CorruptRecordError, UsageError: its file is not as it should be.
        StorageError: it cannot be read.
    """
    name = check_view_name(name)
    try:
        with _folder(project) as folder:
            data = _read(folder, name)
    except FileNotFoundError:
        raise _missing(project, name) from None
    return parse_view(name, data)


def has_view(project: Project, name: str) -> bool:
    """Whether there is a view of a name, sound or not."""
    try:
        return check_view_name(name) in _names(project)
    except GittrackError:
        return False


def _missing(project: Project, name: str) -> NotFoundError:
    from gittrack.core.query.diagnosis import nearest

    near = nearest(name, _names(project))
    hint = f"gittrack ls @{display(near, 80)}" if near else "gittrack views"
    return NotFoundError(f"there is no view '{name}', no file {path_of(name)}", hint=hint)


def _read(folder: int, name: str) -> bytes:
    path = path_of(name)
    try:
        file = os.open(name + _SUFFIX, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(f"{path} is a link, no file", hint=f"rm {path}") from error
        raise StorageError(f"cannot read {path}: {error.strerror}", hint=f"ls -l {path}") from error
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise UsageError(f"{path} is no file", hint=f"rm -r {path}")
        with open(file, "rb", closefd=False) as stream:
            return stream.read(MAX_VIEW_BYTES + 1)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}", hint=f"ls -l {path}") from error
    finally:
        os.close(file)


def save_view(project: Project, view: View, *, replace: bool = False) -> str:
    """Write a view into the work tree; git is not told.

    Args:
        project: where.
        view: which; checked first.
        replace: whether another one of that name is replaced.

    Returns:
        Its path from the top of the work tree.

    Raises:
        ConflictError: there is one of that name.
        UsageError: it means nothing, or this repository has no work tree.
        StorageError: it cannot be written.
    """
    view = dataclasses.replace(view, name=check_view_name(view.name))
    check_view(view)
    path, data = path_of(view.name), view_bytes(view)
    if len(data) > MAX_VIEW_BYTES:
        raise UsageError(f"view '{view.name}' is larger than {MAX_VIEW_BYTES} bytes", hint="gittrack views save --help")
    try:
        with _folder(project, make=True) as folder:
            _write(folder, view.name + _SUFFIX, data, replace)
    except FileExistsError:
        hint = f"gittrack views show {view.name}, or replace it: --force"
        raise ConflictError(f"there is a view '{view.name}' already", hint=hint) from None
    except OSError as error:
        from gittrack.git.failures import disk_hint

        hint = disk_hint(error, project.layout.root)
        raise StorageError(f"cannot write {path}: {error.strerror}", hint=hint) from error
    return path


def _write(folder: int, name: str, data: bytes, replace: bool) -> None:
    """Write a file whole or not at all; FileExistsError when it may not be replaced."""
    written = f".{os.urandom(8).hex()}" if replace else name
    file = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        with open(file, "wb") as stream:
            stream.write(data)
        if replace:
            os.replace(written, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):  # what went wrong first is told
            os.unlink(written, dir_fd=folder)
        raise


def remove_view(project: Project, name: str) -> str:
    """Remove a view from the work tree, whatever its file holds.

    Returns:
        The path where it was.

    Raises:
        NotFoundError: there is none.
        StorageError: it cannot be removed.
    """
    name = check_view_name(name)
    path = path_of(name)
    try:
        with _folder(project) as folder:
            os.unlink(name + _SUFFIX, dir_fd=folder)
    except FileNotFoundError:
        raise _missing(project, name) from None
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}", hint=f"ls -ld {path}") from error
    return path


@contextmanager
def _folder(project: Project, *, make: bool = False) -> Iterator[int]:
    """The folder of views, open; FileNotFoundError when there is none."""
    top = project.repo.work_tree
    if top is None:
        if make:
            raise UsageError("this repository has no work tree to keep views in", hint="git worktree add ../work")
        raise FileNotFoundError
    opened = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for depth, part in enumerate(VIEWS_FOLDER):
            inner = _inner(opened, part, "/".join(VIEWS_FOLDER[: depth + 1]), make)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def _inner(folder: int, part: str, path: str, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=folder)
    try:
        return os.open(part, _FOLDER_FLAGS, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise UsageError(f"{path} is no folder, so no views can be in it", hint=f"ls -ld {path}") from error
        raise StorageError(f"cannot open {path}: {error.strerror}", hint=f"ls -ld {path}") from error
