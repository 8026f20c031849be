"""The ref at a remote that names the checkpoint of a run.

Of a remote that pushes to several places only the first is asked and gets checkpoints: what goes on is for those who
look now, and each place more were one more that can fail, and be left with what is over.
"""

from __future__ import annotations

from typing import NamedTuple

from gittrack.core.ids import ObjectId, RunId
from gittrack.core.refs import shared_checkpoint
from gittrack.git.network import PushedRef, list_remote, push_ref
from gittrack.git.repository import Repository
from gittrack.store.remotes import Remote

_NOT_KNOWN = "failed to report status"


class CheckpointThere(NamedTuple):
    """Where the checkpoints of a run go.

    Attributes:
        repo: where from.
        remote: where to.
        id: the run.
    """

    repo: Repository
    remote: Remote
    id: RunId

    @property
    def name(self) -> str:
        """The ref's name there."""
        return shared_checkpoint(self.remote.prefix, self.id)

    def tip(self) -> ObjectId | None:
        """What it names, where pushes go, which need not be where fetches come from; None: there is no such ref.

        Raises:
            AuthenticationError, NoRemoteError, RemoteError: the remote cannot be reached.
        """
        place = self.remote.push_urls[0] if len(self.remote.push_urls) == 1 else self.remote.first
        return next((ref.tip for ref in list_remote(self.repo, place, [self.name]) if ref.name == self.name), None)

    def move(self, commit: ObjectId | None, expected: ObjectId | None) -> PushedRef:
        """Have it name a commit (None: remove it) if it names what is expected (None: if there is no such ref).

        Raises:
            AuthenticationError, NoRemoteError, RemoteError: the remote cannot be reached, or broke off.
        """
        return push_ref(self.repo, self.remote.first, commit, self.name, lease=expected or "")


def is_told(answer: PushedRef) -> bool:
    """Whether the server said what it did; one that broke off may have taken what was sent."""
    return answer.accepted or _NOT_KNOWN not in answer.reason
