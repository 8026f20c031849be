"""The DVC project around a directory, read without DVC: where its cache is, and its default remote.

DVC's configuration is an INI file at four levels: system, user, project, ``config.local``. Only what is needed to put
bytes where DVC finds them is taken from it; credentials never leave it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path

from gittrack.artifacts.taking import open_regular
from gittrack.core.dvc_yaml import REMOTE_OPTIONS
from gittrack.core.redact import redact_url
from gittrack.errors import ArtifactNotFoundError, CorruptRecordError
from gittrack.frozen import dataclass

_REMOTE = re.compile(r"""^'?remote\s+"(?P<name>.+)"'?$""")
_MOST_BYTES = 1 << 20
_ALIAS = "remote://"


@dataclass(frozen=True, slots=True)
class DvcProject:
    """What gittrack needs to know of a DVC project.

    Attributes:
        folder: its ``.dvc`` folder.
        cache: the folder of its cache that holds ``files/md5``.
        default: the name of its default remote, ``""`` when it has none.
        remotes: name -> options as they stand in the configuration, with urls made absolute.
        committed: the default remote by ``.dvc/config`` alone, which everybody has who has the repository; ``""`` when
            that file names none.
        committed_remotes: its remotes.
    """

    folder: Path
    cache: Path
    default: str = ""
    remotes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    committed: str = ""
    committed_remotes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def public_remote(self, prefix: str, name: str = "") -> dict[str, str]:
        """What of a remote may be written down in a commit: nothing that ``.dvc/config`` does not say.

        Args:
            prefix: appended to the url: our bytes lie beside DVC's, where ``dvc gc --cloud`` leaves them alone.
            name: which; the default one when ``""``.
        """
        options = self.committed_remotes.get(name or self.committed, {})
        if "url" not in options:
            return {}
        public = {option: redact_url(options[option]) for option in REMOTE_OPTIONS if option in options}
        public["url"] = f"{public['url'].rstrip('/')}/{prefix}"
        return {} if any("\n" in value or "\r" in value for value in public.values()) else public


def find_dvc_project(start: Path, top: Path, environ: Mapping[str, str]) -> DvcProject | None:
    """The DVC project that a directory belongs to.

    Args:
        start: the directory, absolute; it or one of its parents holds ``.dvc``.
        top: the last directory to look in: the top of the work tree.
        environ: the variables that say where the user's own configuration is.

    Raises:
        CorruptRecordError: a configuration file cannot be parsed.
    """
    for place in (start, *start.parents):
        folder = place / ".dvc"
        if folder.is_dir() and (folder / "config").exists():
            return _read(folder, environ)
        if place == top:
            return None
    return None


def _read(folder: Path, environ: Mapping[str, str]) -> DvcProject:
    cache, default, remotes = _merged(folder, _levels(folder, environ))
    _, shared, committed = _merged(folder, [folder / "config"])
    return DvcProject(folder, cache, default, remotes, shared, committed)


def _merged(folder: Path, files: Iterable[Path]) -> tuple[Path, str, dict[str, dict[str, str]]]:
    """The cache, the name of the default remote and all remotes, as some files say, later ones over earlier ones."""
    cache, default = folder / "cache", ""
    remotes: dict[str, dict[str, str]] = {}
    for file in files:
        for section, options in _sections(file):
            if named := _REMOTE.match(section):
                remotes.setdefault(named["name"], {}).update(_with_absolute_url(options, file.parent))
            elif section == "core":
                default = options.get("remote", default)
            elif section == "cache" and "dir" in options:
                cache = _absolute(options["dir"], file.parent)
    for options in remotes.values():
        _resolve_alias(options, remotes)
    return cache, default, remotes


def _levels(folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    if sys.platform == "darwin":
        system, user = Path("/Library/Application Support/dvc"), home / "Library" / "Application Support" / "dvc"
    else:
        system = Path((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")[0]) / "dvc"
        user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "dvc"
    yield Path(environ.get("DVC_SYSTEM_CONFIG_DIR") or system) / "config"
    yield Path(environ.get("DVC_GLOBAL_CONFIG_DIR") or user) / "config"
    yield folder / "config"
    yield folder / "config.local"


def _sections(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    import configparser

    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=("#",), default_section="\0")
    try:
        parser.read_string(_text_of(file), str(file))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CorruptRecordError(f"DVC's '{file}' cannot be read: {reason}", hint="dvc config --list") from error
    for section in parser.sections():
        yield section, {name: _unquoted(value) for name, value in parser.items(section)}


def _text_of(file: Path) -> str:
    """Its text; whoever one clones from may have made it a link to a pipe or a device: neither waited for nor read."""
    try:
        source, state = open_regular(file)
    except ArtifactNotFoundError as error:
        if file.exists():
            raise OSError("it is no regular file") from error
        raise FileNotFoundError from error
    try:
        if state.st_size > _MOST_BYTES:
            raise OSError(f"it is larger than {_MOST_BYTES >> 20} MiB")
        return os.read(source, _MOST_BYTES).decode()
    finally:
        os.close(source)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _with_absolute_url(options: dict[str, str], base: Path) -> dict[str, str]:
    if "url" in options and "://" not in options["url"]:
        options["url"] = str(_absolute(options["url"], base))
    return options


def _absolute(path: str, base: Path) -> Path:
    return Path(os.path.normpath(base / os.path.expanduser(path)))


def _resolve_alias(options: dict[str, str], remotes: Mapping[str, Mapping[str, str]]) -> None:
    """``remote://other/path``: the url of another remote, and its options."""
    url = options.get("url", "")
    if url.startswith(_ALIAS):
        name, _, path = url.removeprefix(_ALIAS).partition("/")
        other = remotes.get(name, {})
        if "url" in other and not other["url"].startswith(_ALIAS):
            options.update({**other, **options, "url": f"{other['url'].rstrip('/')}/{path}"})
