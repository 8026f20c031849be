"""Bytes on their way to a place elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gittrack.artifacts.bytes_store import BytesStore
from gittrack.artifacts.reading import read_listing
from gittrack.artifacts.remote import Errand, Remote
from gittrack.artifacts.transfer import FolderPlan, Tally, ToldProgress, Transfer, Wanted, chunks, counted, size_here
from gittrack.core.folder_listing import ListedFile
from gittrack.core.names import display
from gittrack.errors import ArtifactNotFoundError, GittrackError, RemoteError


def push(store: BytesStore, remote: Remote, wanted: Iterable[Wanted], told: ToldProgress | None = None) -> Transfer:
    """Bring objects to a place elsewhere that does not have them.

    Args:
        store: where they are.
        remote: where to.
        wanted: which.
        told: told of progress, from several threads, one at a time.

    Returns:
        What was done. An object that is neither here nor there is a failure; so is one that is damaged here: it is not
        sent. A folder's listing goes only where all its files are.

    Raises:
        RemoteError, AuthenticationError: the place cannot be asked what it has.
    """
    tally = Tally(told)
    files, folders = _to_push(store, wanted, tally)
    sizes = {digest: size_here(store, digest) for digest in (*files, *folders)}
    there = remote.present(sizes)
    _see_damaged_listings(tally, there)
    tally.present = len(there)
    missing = [digest for digest in files if digest not in there]
    tally.count = len(sizes) - len(there)
    tally.size = sum(sizes[digest] or 0 for digest in missing)
    going = [digest for digest in missing if _is_here(sizes, digest, files[digest], tally)]
    there |= _send(store, remote, {digest: files[digest] for digest in going}, sizes, tally)
    whole = {}
    for digest, folder in folders.items():
        if digest in there:
            continue
        if sizes[digest] is None:
            tally.fail(digest, folder.what, _nowhere(folder.what))
        elif folder.members <= there:
            whole[digest] = folder.what
        else:
            text = f"not all files of '{folder.what}' are at '{remote.shown}': its listing is not pushed"
            tally.fail(digest, folder.what, RemoteError(text, hint="gittrack artifact push"))
    _send(store, remote, whole, sizes, tally)
    return tally.result()


def _to_push(store: BytesStore, wanted: Iterable[Wanted], tally: Tally) -> tuple[dict[str, str], dict[str, FolderPlan]]:
    files: dict[str, str] = {}
    folders: dict[str, FolderPlan] = {}
    for each in wanted:
        if not each.digest.endswith(".dir"):
            files.setdefault(each.digest, each.what)
        elif each.digest not in folders:
            members: tuple[ListedFile, ...] = ()
            try:
                members = read_listing(store, each.digest, each.what)
            except ArtifactNotFoundError:
                pass  # not here: it may be there, and then all its files are
            except GittrackError as error:
                tally.fail(each.digest, each.what, error)
                continue
            folders[each.digest] = FolderPlan(each.what, frozenset(member.digest for member in members))
            for member in members:
                files.setdefault(member.digest, f"{each.what}/{display(member.path, 200)}")
    return files, folders


def _see_damaged_listings(tally: Tally, there: set[str]) -> None:
    """Nothing is known of a folder whose listing here is damaged, whatever the remote has."""
    there.difference_update(tally.failures)


def _is_here(sizes: Mapping[str, int | None], digest: str, what: str, tally: Tally) -> bool:
    if sizes[digest] is None:
        tally.fail(digest, what, _nowhere(what))
        return False
    return True


def _nowhere(what: str) -> ArtifactNotFoundError:
    text = f"the bytes of '{what}' are neither here nor at the remote"
    return ArtifactNotFoundError(text, hint="gittrack artifact push, where they are")


def _send(
    store: BytesStore, remote: Remote, files: Mapping[str, str], sizes: Mapping[str, int | None], tally: Tally
) -> set[str]:
    """Send files; returns those that are there now."""
    errands = [Errand(digest, str(store.path(digest)), what) for digest, what in files.items()]
    arrived: set[str] = set()
    for chunk, rest in chunks(errands):
        refused = remote.send(chunk, tally.passed)
        for errand in chunk:
            if errand.digest not in refused:
                arrived.add(errand.digest)
                tally.moved += 1
                tally.moved_size += sizes[errand.digest] or 0
        if counted(chunk, refused, tally, rest):
            break
    return arrived
