"""Any place elsewhere that DVC can reach (S3, Google Cloud, Azure, SSH, WebDAV, HTTP, …), by DVC's own file systems.

DVC is imported when such a place is opened, never before. Its configuration is read as it reads it, so credentials stay
where they are; its caches, lock and database are not touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from gittrack.artifacts.dvc_options import refuse_untrusted
from gittrack.artifacts.remote import Errand, Refusals, RemoteAddress, Told
from gittrack.artifacts.remote_failures import remote_failure
from gittrack.artifacts.taking import hash_file, open_regular
from gittrack.core.dvc_yaml import REMOTE_PREFIX
from gittrack.errors import CorruptRecordError, GittrackError, MissingDependencyError, RemoteError, StorageError
from gittrack.frozen import dataclass

_VERIFIERS = 4
_ASKED_TOO = ("0" * 32, "f" * 32)
"""Asked for with the others: of a single object S3 says "not there" where the bucket is missing."""
_SHOWN_WHILE_WRITTEN = ("http", "https")
_EXTRAS = {"s3": "s3", "gs": "gs", "azure": "azure", "ssh": "ssh"}


@dataclass(frozen=True, slots=True)
class DvcRemote:
    """Bytes at a place that DVC reaches.

    Attributes:
        address: where.
        objects: DVC's object database there, made anew for each command: it remembers what it listed.
    """

    address: RemoteAddress
    objects: Any

    @classmethod
    def open(cls, address: RemoteAddress) -> DvcRemote:
        """Open it; nothing is asked of it yet.

        Raises:
            MissingDependencyError: DVC, or its part for such places, is not installed.
            RemoteError: DVC's configuration of it is not valid.
        """
        try:
            from dvc_objects.db import ObjectDB

            fs, path = open_filesystem(address)
        except ImportError as error:
            raise _not_installed(address, error) from error
        try:
            return cls(address, ObjectDB(fs, fs.join(path, REMOTE_PREFIX, "files", "md5")))
        except Exception as error:
            raise remote_failure(error, address) from error

    @property
    def shown(self) -> str:
        """Its address, without credentials."""
        return self.address.shown

    def place(self, digest: str) -> str:
        """Where it holds a digest; see ``Remote``."""
        name = digest.removeprefix("md5:")
        return f"{self.shown.rstrip('/')}/{REMOTE_PREFIX}/files/md5/{name[:2]}/{name[2:]}"

    def present(self, sizes: Mapping[str, int | None]) -> set[str]:
        """Which of these digests it holds; see ``Remote``."""
        if not sizes:
            return set()
        names = {digest.removeprefix("md5:") for digest in sizes}
        try:
            found = set(self.objects.oids_exist(names.union(_ASKED_TOO)))
        except FileNotFoundError as error:
            if error.__cause__ is None:  # a folder that nothing was put into yet
                return set()
            raise remote_failure(error, self.address) from error
        except Exception as error:
            raise remote_failure(error, self.address) from error
        there = {f"md5:{name}" for name in found & names}
        return self._of_right_size(there, sizes) if self.objects.fs.protocol in _SHOWN_WHILE_WRITTEN else there

    def _of_right_size(self, digests: set[str], sizes: Mapping[str, int | None]) -> set[str]:
        """Those that are whole: where a file shows while it is written, a kill leaves the beginning of one."""

        def is_whole(digest: str) -> bool:
            try:
                found = self.objects.fs.size(self.objects.oid_to_path(digest.removeprefix("md5:")))
            except Exception as error:
                raise remote_failure(error, self.address) from error
            return sizes[digest] is None or found is None or found == sizes[digest]

        ordered = sorted(digests)
        with ThreadPoolExecutor(_VERIFIERS) as pool:
            return {digest for digest, whole in zip(ordered, pool.map(is_whole, ordered), strict=True) if whole}

    def send(self, errands: Sequence[Errand], told: Told) -> Refusals:
        """Put objects there; see ``Remote``. Each is hashed before it goes."""
        refused: Refusals = {}
        with ThreadPoolExecutor(_VERIFIERS) as pool:
            for errand, problem in zip(errands, pool.map(_problem_here, errands), strict=True):
                if problem is not None:
                    refused[errand.digest] = problem
        sound = [errand for errand in errands if errand.digest not in refused]
        if sound:
            refused |= self._act(sound, self._put, told, sending=True)
        return refused

    def fetch(self, errands: Sequence[Errand], told: Told) -> Refusals:
        """Bring objects here; see ``Remote``."""
        return self._act(errands, self._get, told, sending=False)

    def _act(
        self, errands: Sequence[Errand], act: Callable[..., None], told: Told, *, sending: bool
    ) -> dict[str, GittrackError]:
        refused: Refusals = {}
        by_path = {errand.path: errand for errand in errands}
        by_place = {self._place(errand): errand for errand in errands}

        def failed(source: str, target: str, error: BaseException) -> None:
            errand = by_path.get(source) or by_place.get(source) or by_path.get(target) or by_place[target]
            refused[errand.digest] = remote_failure(error, self.address, errand.what, sending=sending)

        try:
            act(errands, _progress(told), failed)
        except Exception as error:  # noqa: BLE001  what a library raises past its own handler concerns them all
            for errand in errands:
                refused.setdefault(errand.digest, remote_failure(error, self.address, errand.what, sending=sending))
        return refused

    def _place(self, errand: Errand) -> str:
        place: str = self.objects.oid_to_path(errand.digest.removeprefix("md5:"))
        return place

    def _get(self, errands: Sequence[Errand], progress: Any, failed: Callable[..., None]) -> None:
        from dvc_objects.fs import generic
        from dvc_objects.fs.local import localfs

        sources, targets = [self._place(errand) for errand in errands], [errand.path for errand in errands]
        generic.copy(self.objects.fs, sources, localfs, targets, callback=progress, on_error=failed)

    def _put(self, errands: Sequence[Errand], progress: Any, failed: Callable[..., None]) -> None:
        from dvc_objects.fs import generic
        from dvc_objects.fs.base import ObjectFileSystem
        from dvc_objects.fs.local import localfs

        fs = self.objects.fs
        if isinstance(fs, ObjectFileSystem):  # an object appears there when all of it has arrived
            sources, targets = [errand.path for errand in errands], [self._place(errand) for errand in errands]
            generic.copy(localfs, sources, fs, targets, callback=progress, on_error=failed)
            return

        def put(errand: Errand) -> None:
            place = self._place(errand)
            try:
                with progress.branched(errand.path, place) as child:
                    _put_by_renaming(fs, errand.path, place, child)
            except Exception as error:  # noqa: BLE001
                failed(errand.path, place, error)

        with ThreadPoolExecutor(min(fs.jobs, len(errands))) as pool:
            list(pool.map(put, errands))


def open_filesystem(address: RemoteAddress) -> tuple[Any, str]:
    """DVC's file system of a place, and the path in it.

    Raises:
        ImportError: DVC, or its part for such places, is not installed.
        RemoteError: DVC's configuration of it is not valid.
    """
    from dvc.config import Config, ConfigError
    from dvc.fs import get_cloud_fs

    try:
        if address.name and address.dvc_folder is not None:
            config = Config(dvc_dir=str(address.dvc_folder))
            refuse_untrusted(config, address.dvc_folder, address.name)
            if address.elsewhere:
                config["remote"][address.name.lower()]["url"] = address.url
            kind, options, path = get_cloud_fs(config, name=address.name)
        else:
            kind, options, path = get_cloud_fs({}, url=address.url)
        return kind(**options), path
    except (ImportError, GittrackError):
        raise
    except ConfigError as error:
        text = f"DVC's configuration of '{address.name or address.shown}' is not valid: {_first_line(error)}"
        raise RemoteError(text, hint="dvc remote list") from error
    except Exception as error:
        if type(error).__name__ == "RemoteMissingDepsError":
            raise ImportError(str(error)) from error
        raise remote_failure(error, address) from error


def _put_by_renaming(fs: Any, source: str, place: str, child: Any) -> None:
    """Where a file shows while it is written, it is written under another name first."""
    if fs.protocol in _SHOWN_WHILE_WRITTEN:  # what a PUT makes visible, and when, is the server's business
        fs.put_file(source, place, callback=child)
        return
    temporary = f"{place}.{uuid4().hex}.tmp"
    fs.makedirs(fs.parent(place))
    try:
        fs.put_file(source, temporary, callback=child)
        fs.mv(temporary, place)
    except BaseException:
        _dropped(fs, temporary)
        raise


def _dropped(fs: Any, path: str) -> None:
    try:
        fs.rm_file(path)
    except Exception:  # noqa: BLE001  the first error is the one to tell
        return


def _problem_here(errand: Errand) -> GittrackError | None:
    try:
        file, _ = open_regular(errand.path)
        try:
            sound = hash_file(file)[1] == errand.digest.removesuffix(".dir")
        finally:
            os.close(file)
    except GittrackError as error:
        return error
    except OSError as error:
        return StorageError(f"cannot read the bytes of '{errand.what}': {error.strerror}", hint="gittrack doctor")
    text = f"the bytes of '{errand.what}' here are damaged; they are not pushed"
    return None if sound else CorruptRecordError(text, hint="gittrack fsck")


def _progress(told: Told) -> Any:
    """DVC's way to tell of progress, turned into ours: only the bytes of single files count."""
    from fsspec import Callback

    class OneFile(Callback):  # type: ignore[misc]
        seen = 0

        def call(self, hook_name: str | None = None, **kwargs: Any) -> None:
            told(self.value - self.seen)
            self.seen = self.value

    class AllFiles(Callback):  # type: ignore[misc]
        def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Any:
            return OneFile()

    return AllFiles()


def _not_installed(address: RemoteAddress, error: ImportError) -> MissingDependencyError:
    scheme = address.url.partition("://")[0]
    missing = (error.name or "").partition(".")[0]
    if missing == "dvc" or missing == "dvc_objects":
        wanted = f"'gittrack[{_EXTRAS.get(scheme, 'dvc')}]'"
        return MissingDependencyError(f"the remote '{address.shown}' needs DVC", hint=f"pip install {wanted}")
    wanted = f"'gittrack[{_EXTRAS[scheme]}]'" if scheme in _EXTRAS else f"dvc-{scheme}"
    text = f"the remote '{address.shown}' needs DVC's part for '{scheme}'"
    return MissingDependencyError(text, hint=f"pip install {wanted}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
