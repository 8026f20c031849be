"""Where gittrack keeps what lies beside git: folders under ``<common git dir>/gittrack``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gittrack.core.ids import RunId


class Layout(NamedTuple):
    """The folders of one repository.

    Attributes:
        root: ``<common git dir>/gittrack``, shared by all worktrees.
    """

    root: Path

    @classmethod
    def of(cls, common_dir: Path) -> Layout:
        """The layout in a repository's common git directory."""
        return cls(common_dir / "gittrack")

    @property
    def live(self) -> Path:
        """Runs that are being written, a folder each."""
        return self.root / "live"

    @property
    def done(self) -> Path:
        """Finished runs not yet rolled up, kept so that a lost object can be made again."""
        return self.root / "done"

    @property
    def rollup_lock(self) -> Path:
        """Held while the inbox is rolled up; nothing else needs it."""
        return self.root / "rollup.lock"

    @property
    def rollup_asked(self) -> Path:
        """Touched whenever a roll-up is started in the background."""
        return self.root / "rollup-asked"

    @property
    def experiment_names(self) -> Path:
        """Derived: present experiment names that a rename made differ from the first ones."""
        return self.root / "experiments.json"

    @property
    def bytes_store(self) -> Path:
        """Our own store of artifact bytes in DVC's layout: data, not a cache to clear."""
        return self.root / "cache"

    @property
    def index_file(self) -> Path:
        """Derived: what all runs say, in SQLite."""
        return self.root / "index.sqlite"

    @property
    def remotes_file(self) -> Path:
        """Of which repository the remembered ledgers of each remote speak."""
        return self.root / "remotes.json"

    @property
    def refused_file(self) -> Path:
        """Commits that came from remotes and are not what they should be, each with the reason."""
        return self.root / "refused.tsv"

    @property
    def doubtful_file(self) -> Path:
        """Remembered ledgers that their remotes no longer have so."""
        return self.root / "doubtful.json"

    @property
    def finishing_lock(self) -> Path:
        """Held by the one process that waits for a remote to come back, to share runs that have ended."""
        return self.root / "finishing.lock"

    @property
    def waiting_bytes_file(self) -> Path:
        """Shared runs whose artifact bytes stayed behind."""
        return self.root / "waiting-bytes.json"

    @property
    def behind_file(self) -> Path:
        """Remembered ledgers of which their remotes have an earlier state."""
        return self.root / "behind.json"

    @property
    def refused_ledgers_file(self) -> Path:
        """Refs at the places of ledgers that are none."""
        return self.root / "refused-ledgers.json"

    @property
    def expunged_file(self) -> Path:
        """Derived: which ledgers say that runs are expunged."""
        return self.root / "expunged.json"

    @property
    def dropped_file(self) -> Path:
        """Commits of expunged runs that no ref reaches any more and that are stored still."""
        return self.root / "dropped.json"

    @property
    def looked_at_file(self) -> Path:
        """How far somebody has looked at what others shared."""
        return self.root / "looked-at.json"

    @property
    def sharing_lock(self) -> Path:
        """Held while ledgers of remotes are moved here."""
        return self.root / "sharing.lock"

    @property
    def checkpoints(self) -> Path:
        """What is known of the checkpoints that were pushed from here, and what went wrong with them."""
        return self.root / "checkpoints"

    def live_run(self, id: RunId) -> Path:
        """The folder of a live run."""
        return self.live / id
