"""Keys of people, and repositories that are set to sign with them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def ssh_key(folder: Path, name: str) -> Path:
    """A new key without a passphrase; its public half lies beside."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = folder / f"key-{name}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    return key


def signs_by_ssh(person, key: Path) -> None:
    """Set a person's clone to sign what is committed in it."""
    person.git("config", "gpg.format", "ssh")
    person.git("config", "user.signingKey", str(key.with_name(key.name + ".pub")))
    person.git("config", "commit.gpgSign", "true")


def allows(person, file: Path, keys: dict[str, Path]) -> None:
    """Let a person's clone know whose keys there are: e-mail address -> key."""
    lines = [f"{email} {key.with_name(key.name + '.pub').read_text()}" for email, key in keys.items()]
    file.write_text("".join(lines))
    person.git("config", "gpg.ssh.allowedSignersFile", str(file))


def gpg_home(folder: Path, monkeypatch: pytest.MonkeyPatch, user: str) -> str:
    """A home of GnuPG's with a new key of ``user``, without a passphrase; its fingerprint."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = folder / "gpg"
    home.mkdir(mode=0o700)
    if len(os.fsencode(home)) > 80:
        pytest.skip("the path is too long for the socket of gpg-agent")
    monkeypatch.setenv("GNUPGHOME", str(home))
    options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    made = subprocess.run(
        ["gpg", *options, "--quick-generate-key", user, "ed25519", "sign", "never"], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"gpg makes no key here: {made.stderr.strip()}")
    listed = subprocess.run(["gpg", "--list-keys", "--with-colons"], capture_output=True, text=True, check=True)
    return next(line.split(":")[9] for line in listed.stdout.splitlines() if line.startswith("fpr:"))


def stop_agent() -> None:
    """End the agent that gpg began for the home that is set."""
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)
