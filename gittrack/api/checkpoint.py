"""Pushing checkpoints of a run that goes on, from a process of their own: the training neither waits nor knows.

A round writes what was logged so far as a run commit and pushes that to one ref of the remote, by a lease on exactly
what was pushed before. Somebody else's checkpoint is never replaced.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gittrack.api.finished_live import clear_checkpoint, push_finished
from gittrack.api.read import find_run
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.refs import remote_checkpoint_ref
from gittrack.errors import ConflictError, GittrackError, RefMovedError, RunNotFoundError, StorageError, UsageError
from gittrack.git.refs import RefUpdate
from gittrack.store.checkpoint_there import CheckpointThere, is_told
from gittrack.store.checkpoints import journals_state, write_checkpoint
from gittrack.store.live import is_alive, live_ids, read_live
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import refusal
from gittrack.store.ownership import Liveness
from gittrack.store.pushed_checkpoints import (
    PushedCheckpoints,
    alone,
    log_checkpoint,
    read_pushed,
    write_pushed,
)
from gittrack.store.recovery import recover_runs
from gittrack.store.remotes import Remote

if TYPE_CHECKING:
    from gittrack.api.project import Project

HEARTBEAT = 600.0
"""Seconds after which a checkpoint is pushed although nothing was logged: others see that the run lives."""
SHARE_OF_A_CORE = 0.02
"""What may be used of one; it bounds what is left for ``git gc`` too: some 200 MB an hour, whatever is logged."""
_LONGEST_PAUSE = 600.0
_SURE_PREFIX = 8
"""Digits from which on nobody means a name."""
_STEP = 1.0
"""Seconds between two looks whether the run is over."""
_LAST_ATTEMPTS = 12


def pause(every: float, spent: float, failures: int) -> float:
    """How long to wait before the next round.

    Args:
        every: seconds between two checkpoints, as asked for.
        spent: seconds of CPU time that the last round took, git's included.
        failures: rounds that failed since the last good one.

    Returns:
        Seconds: at least ``every``, so many that no more than a fiftieth of a core is used, twice as many after each
        failure (up to ten minutes).

    >>> pause(30, 0.5, 0), pause(30, 2, 0), pause(30, 0.5, 2), pause(30, 0.5, 40)
    (30, 98.0, 120, 600.0)
    """
    needed = max(every, spent * (1 / SHARE_OF_A_CORE - 1))
    return max(needed, min(every * 2 ** min(failures, 20), _LONGEST_PAUSE)) if failures else needed


@dataclass(slots=True)
class CheckpointPusher:
    """Pushes the checkpoints of one run to one remote.

    Attributes:
        project: where the run is.
        id: the run.
        remote: where to.
        state: what the journals were at the last checkpoint.
        pushed_at: when that was, on the monotonic clock, seconds.
    """

    project: Project
    id: RunId
    remote: Remote
    state: Mapping[str, int] | None = None
    pushed_at: float = field(default=0.0)

    def push(self) -> ObjectId | None:
        """Push a checkpoint.

        Returns:
            Its commit; None when nothing was logged since the last one, or the run has ended.

        Raises:
            ConflictError: somebody else has moved or removed what was pushed from here.
            RemoteError: the remote cannot be reached, or refuses.
            StorageError: an object cannot be stored.
        """
        folder = str(self.project.layout.live_run(self.id))
        state = journals_state(folder)
        if state is None or (state == self.state and time.monotonic() - self.pushed_at < HEARTBEAT):
            return None
        live = read_live(folder, self.id)
        if live is None:
            return None
        if live.problem:
            raise StorageError(f"run {self.id} cannot be read: {live.problem}", hint="gittrack doctor")
        commit = write_checkpoint(self.project.repo, live.contents, self.project.now())
        self._send(commit)
        self.state, self.pushed_at = state, time.monotonic()
        return commit

    def _send(self, commit: ObjectId) -> None:
        layout, ref = self.project.layout, self._ref
        noted = self._noted()
        # Before the push: killed after it, what is there is known for one's own.
        write_pushed(layout, replace(noted, tried=(*noted.tried, commit)))
        answer = ref.move(commit, noted.there)
        if not answer.accepted:
            if is_told(answer):
                write_pushed(layout, noted)
            if answer.behind:
                self._looked_up(noted)  # if what is there is one's own, something only held it for a moment
            raise refusal(self.remote, answer)
        write_pushed(layout, PushedCheckpoints(self.id, self.remote.repository, commit, (), noted.problem))
        self._remember(commit)

    @property
    def _ref(self) -> CheckpointThere:
        return CheckpointThere(self.project.repo, self.remote, self.id)

    def _noted(self) -> PushedCheckpoints:
        """What was pushed from here; where nobody knows whether the remote took it, the remote is asked first."""
        noted = read_pushed(self.project.layout, self.id)
        if noted is None or noted.repository != self.remote.repository:
            return PushedCheckpoints(self.id, self.remote.repository)
        return self._looked_up(noted) if noted.tried else noted

    def _looked_up(self, noted: PushedCheckpoints) -> PushedCheckpoints:
        """What is noted, with what the remote has; a checkpoint of somebody else, or a removed one, is a conflict."""
        there = self._ref.tip()
        if there == noted.there:
            return noted
        if there is None or there not in noted.tried:
            what = "was removed" if there is None else "was replaced"
            text = f"the checkpoint of run '{self.id[:8]}' at remote '{self.remote.shown}' {what} by somebody else"
            raise ConflictError(text, hint="gittrack push, when the run has ended")
        found = replace(noted, there=there, tried=())
        write_pushed(self.project.layout, found)
        return found

    def _remember(self, commit: ObjectId) -> None:
        refs = self.project.repo.refs
        ref = remote_checkpoint_ref(self.remote.slug, self.id)
        try:
            refs.transaction([RefUpdate(ref, commit, refs.get(ref))])
        except RefMovedError:
            return  # a fetch of this clone has just seen it there and remembered it


def live_id(project: Project, address: str) -> RunId:
    """The run that an address means; where it is written here nothing else is read to tell.

    Raises:
        RunNotFoundError, AmbiguousError: none, or several.
    """
    matches = [id for id in live_ids(project.layout) if id.startswith(address)]
    return matches[0] if len(matches) == 1 and len(address) >= _SURE_PREFIX else find_run(project, address).id


def push_checkpoint(project: Project, id: RunId, remote: Remote) -> ObjectId:
    """Push one checkpoint of a run that goes on.

    Args:
        project: where the run is.
        id: the run.
        remote: where to.

    Returns:
        The checkpoint.

    Raises:
        UsageError: the run has ended.
        ConflictError: another process pushes its checkpoints, or somebody else has moved what was pushed from here.
        RemoteError, StorageError: as of :meth:`CheckpointPusher.push`.
    """
    with alone(project.layout, id) as is_alone:
        if not is_alone:
            raise ConflictError(f"another process pushes the checkpoints of run '{id[:8]}'", hint="gittrack status")
        commit = CheckpointPusher(project, id, remote).push()
    if commit is None:
        raise UsageError(f"run '{id[:8]}' has ended: there is nothing more to come", hint="gittrack push")
    return commit


def keep_pushing(project: Project, id: RunId, remote: Remote, every: float) -> str:
    """Push checkpoints until the run ends, then the finished run itself; a run whose process dies is finished first.

    What fails is logged beside git and tried again, but never against somebody else's checkpoint; the finished run is
    pushed all the same.

    Args:
        project: where the run is.
        id: the run.
        remote: where to.
        every: seconds between two checkpoints.

    Returns:
        What is left undone, or why the checkpoints ended before the run did; empty when all is done.
    """
    with alone(project.layout, id) as is_alone:
        if not is_alone:
            return f"another process pushes the checkpoints of run '{id[:8]}'"
        told = _Log(project, id, remote)
        stopped = _until_it_ends(project, CheckpointPusher(project, id, remote), every, told)
        # Whatever ended the checkpoints, the run is shared at its end.
        return _finished(project, id, remote, every, told) or stopped


@dataclass(slots=True)
class _Log:
    """Says what fails, once for each thing that does."""

    project: Project
    id: RunId
    remote: Remote
    last: str = ""

    def failed(self, error: Exception) -> str:
        """Note a failure."""
        return self.say(error.message if isinstance(error, GittrackError) else f"{type(error).__name__}: {error}")

    def worked(self) -> None:
        """Note that it works, after it did not."""
        if self.last:
            self.say("")
            log_checkpoint(self.project.layout, self.id, self.project.now(), "works again")

    def say(self, text: str) -> str:
        """Note what is wrong (empty: nothing any more), and give it back."""
        if text == self.last:
            return text
        self.last = text
        if text:
            log_checkpoint(self.project.layout, self.id, self.project.now(), text)
        noted = read_pushed(self.project.layout, self.id) or PushedCheckpoints(self.id, self.remote.repository)
        try:
            write_pushed(self.project.layout, replace(noted, problem=text))
        except StorageError:
            pass  # the log has said it, as far as anything can be written
        return text


def _until_it_ends(project: Project, pusher: CheckpointPusher, every: float, told: _Log) -> str:
    """Rounds until the run is no live one any more; why no more were pushed before."""
    folder = project.layout.live_run(pusher.id)
    failures, stopped = 0, ""
    while folder.exists():
        before = _cpu_time()
        try:
            if not is_alive(str(folder)) and not _goes_on(project, pusher.id):
                return stopped
            if not stopped and pusher.push() is not None:
                told.worked()
            failures = 0
        except ConflictError as error:
            stopped = told.failed(error)
        except (GittrackError, OSError) as error:
            told.failed(error)
            failures += 1
        end = time.monotonic() + pause(every, _cpu_time() - before, failures)
        while folder.exists() and (left := end - time.monotonic()) > 0:
            time.sleep(min(_STEP, left))
    return stopped


def _cpu_time() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _goes_on(project: Project, id: RunId) -> bool:
    """Of a run that looks dead: finish it, unless nobody can tell whether it is."""
    results = recover_runs(project.repo, project.layout, id)
    if any(result.outcome in ("damaged", "failed") for result in results):
        raise StorageError(f"run {id} cannot be finished: {results[0].reason}", hint="gittrack doctor")
    live = read_live(str(project.layout.live_run(id)), id)
    return live is not None and live.liveness is not Liveness.DEAD


def _finished(project: Project, id: RunId, remote: Remote, every: float, told: _Log) -> str:
    """Push the finished run and remove its checkpoint; why that was given up.

    Where the remote is away only one process waits for it, however many runs end: the others' runs are here, too.
    """
    text, done = _shared(project, id, remote, told)
    if done:
        return text
    with exclusive(project.layout.finishing_lock, wait=False) as is_alone:
        for attempt in range(_LAST_ATTEMPTS if is_alone else 0):
            time.sleep(pause(min(every, 10.0), 0, attempt + 1))
            text, done = _shared(project, id, remote, told)
            if done:
                return text
    log_checkpoint(project.layout, id, project.now(), "given up; the finished run is here: gittrack push")
    return text


def _shared(project: Project, id: RunId, remote: Remote, told: _Log) -> tuple[str, bool]:
    """Try it once: what is wrong, and whether there is nothing more to try."""
    try:
        push_finished(project, id, remote)
        left = clear_checkpoint(project, id, remote)
        return (told.say(left) if left else ""), True
    except RunNotFoundError as error:  # it stays so
        return told.failed(error), True
    except (GittrackError, OSError) as error:
        return told.failed(error), False
