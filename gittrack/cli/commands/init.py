"""``gittrack init``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say


@click.command("init")
@click.pass_obj
def command(session: Session) -> None:
    """Write a file of settings for this repository.

    Nothing needs it: `gittrack run` works in any git repository. `.gittrack.toml` holds settings for everyone who
    works in the repository, once you commit it; all are comments at first. An existing file is left as it is.
    """
    from gittrack.api.settings import write_config_file

    path = write_config_file(session.project())
    say(f"wrote {path.name} in {path.parent}, and committed nothing")
    say("next: gittrack run -- python train.py")
