"""Settings: one table, four places, one frozen record. The only module that reads ``os.environ``.

The environment (``GITTRACK_…``; an empty variable counts as unset) wins over git config (``gittrack.…``), which wins
over ``.gittrack.toml`` in the work tree, which wins over the default. That file comes with whatever repository one
clones: what must not be another's to decide, such as which variables of the environment enter a commit, is not taken
from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from gittrack.errors import UsageError
from gittrack.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """How gittrack behaves in one repository.

    Attributes:
        experiment: the experiment of runs that name none.
        writer: slug that names this person's ledgers; empty: made from ``user.email``.
        strict: whether a failure of logging raises into the training.
        quiet: whether what is said at a run's end is left out.
        system_metrics: whether CPU, memory, disk, network and GPU are sampled.
        system_interval: seconds between two samples.
        inline_limit: bytes up to which an artifact lies in git itself.
        output_limit: bytes of captured output kept; beyond it the middle is left out.
        snapshot_file_limit: bytes of one file of the code snapshot.
        snapshot_limit: bytes of all files of the code snapshot together.
        environment: names of further environment variables to record.
        headline: metrics to show first.
        artifact_remote: where artifact bytes are pushed to when DVC has no default remote: a URL or a directory.
        offline: whether reading an artifact never fetches bytes that are not here.
        share: what ``gittrack push`` shares when nothing is named: ``all``, ``none``, or a query.
        sign: whether git signs the events that a person writes: ``true``, ``false``, or ``auto``: as ``commit.gpgSign``
            says.
        runs_remote: the git remote, or its URL, that runs are shared with; empty: the usual one.
        ref_prefix: the namespace of ledgers at the remote, for hosts that take only branches; empty: ``refs/runs/``.
        fetch_since: the first month (``yyyy-mm``) whose ledgers ``gittrack fetch`` brings; empty: all.
        inbox_limit: runs and events that are not rolled up from which on they are, by themselves; 0: never.
        view_seconds: how long the query of a saved view may take: views come with a repository.
        live: seconds between two checkpoints of a run that goes on, which are pushed for others to see; 0: none are.
    """

    experiment: str = "Default"
    writer: str = ""
    strict: bool = False
    quiet: bool = False
    system_metrics: bool = False
    system_interval: float = 10.0
    inline_limit: int = 64 << 10
    output_limit: int = 10 << 20
    snapshot_file_limit: int = 1 << 20
    snapshot_limit: int = 50 << 20
    environment: tuple[str, ...] = ()
    headline: tuple[str, ...] = ()
    artifact_remote: str = ""
    offline: bool = False
    share: str = "all"
    sign: str = "auto"
    runs_remote: str = ""
    ref_prefix: str = ""
    fetch_since: str = ""
    inbox_limit: int = 64
    view_seconds: float = 1.0
    live: float = 0.0


@dataclass(frozen=True, slots=True)
class Process:
    """What the environment says about this process.

    Attributes:
        disabled: ``GITTRACK_DISABLED``: nothing is logged.
        run_id: ``GITTRACK_RUN_ID``: the run to join, set by ``gittrack run``.
        parent: ``GITTRACK_PARENT``: the run that new runs are children of.
        repo: ``GITTRACK_REPO``: the directory to look for the repository in.
        environ: all variables, for what is captured by allow-list.
    """

    disabled: bool
    run_id: str
    parent: str
    repo: str
    environ: Mapping[str, str]


CONFIG_FILE = ".gittrack.toml"
OWN_SETTINGS = frozenset({"environment", "live", "runs_remote", "sign", "view_seconds", "writer"})
"""Settings that a file in the work tree cannot make: only git config and the environment can."""
_TABLES = frozenset({"keep", "metrics"})
"""Tables that are no settings: rules of retention (``api/retention.py``), which way metrics get better
(``api/directions.py``)."""
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})
_KINDS: dict[type, str] = {int: "a number", float: "a number of seconds", tuple: "a list", bool: "a truth"}
_MOST_BYTES, _MOST_SECONDS = 1 << 50, 1e6
LIVE_SECONDS = 30.0
"""Between two checkpoints when nobody says how many."""
_LEAST_LIVE, _MOST_LIVE = 1.0, 600.0
_OF_TIME = {"s": 1, "m": 60, "h": 3600}
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def setting_names() -> tuple[str, ...]:
    """The names of all settings, as ``.gittrack.toml`` spells them."""
    return tuple(field.name for field in fields(Config))


def git_key(name: str) -> str:
    """The git config key of a setting: ``inline_limit`` is ``gittrack.inlineLimit``.

    Raises:
        UsageError: there is no such setting.
    """
    if name not in setting_names():
        raise UsageError(f"there is no setting '{name}'", hint="gittrack config")
    first, *others = name.split("_")
    return "gittrack." + first + "".join(part.capitalize() for part in others)


def variable(name: str) -> str:
    """The environment variable of a setting: ``inline_limit`` is ``GITTRACK_INLINE_LIMIT``."""
    return "GITTRACK_" + name.upper()


def read_process() -> Process:
    """Read the environment of this process."""
    environ = dict(os.environ)
    return Process(
        disabled=_disabled(environ.get("GITTRACK_DISABLED", "")),
        run_id=environ.get("GITTRACK_RUN_ID", "").strip(),
        parent=environ.get("GITTRACK_PARENT", "").strip(),
        repo=environ.get("GITTRACK_REPO", ""),
        environ=environ,
    )


def _disabled(text: str) -> bool:
    """What is no truth is as good as unset, as long as nobody asked for more: a typing error must not stop training."""
    try:
        return boolean("GITTRACK_DISABLED", text)
    except UsageError:
        return False


def leave_run_to_children(run_id: str) -> None:
    """After this process joined a run: programs it starts become children of the run instead of joining it too."""
    os.environ.pop("GITTRACK_RUN_ID", None)
    os.environ["GITTRACK_PARENT"] = run_id


def ignored_settings(file: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings in a parsed ``.gittrack.toml`` that are not taken from it, in the order of :class:`Config`."""
    return tuple(name for name in setting_names() if name in OWN_SETTINGS and name in file)


def read_config(environ: Mapping[str, str], git_config: Mapping[str, str], file: Mapping[str, Any]) -> Config:
    """Read all settings.

    Args:
        environ: environment variables.
        git_config: git's configuration, keys in lower case.
        file: the parsed ``.gittrack.toml``; :data:`OWN_SETTINGS` in it do not count.

    Raises:
        UsageError: a value has another type; says where it stands.
    """
    config, faults = read_settings(environ, git_config, file)
    if faults:
        raise UsageError(faults[0], hint="gittrack config")
    return config


def read_settings(
    environ: Mapping[str, str], git_config: Mapping[str, str], file: Mapping[str, Any]
) -> tuple[Config, tuple[str, ...]]:
    """As :func:`read_config`, and never an error: the settings without those that cannot be read, and what is wrong."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in fields(Config):
        for where, found in (
            (variable(field.name), environ.get(variable(field.name)) or None),
            (git_key(field.name), git_config.get(git_key(field.name).lower())),
            (f"'{field.name}' in {CONFIG_FILE}", None if field.name in OWN_SETTINGS else file.get(field.name)),
        ):
            if found is not None:
                try:
                    convert = _OF_ITS_OWN.get(field.name) or partial(_converted, default=field.default)
                    values[field.name] = convert(where, found)
                except UsageError as error:  # the next place that has it counts
                    faults.append(error.message)
                    continue
                break
    try:
        boolean("GITTRACK_DISABLED", environ.get("GITTRACK_DISABLED", ""))
    except UsageError as error:
        faults.append(error.message)
    return Config(**values), (*faults, *_unknown(file))


def _unknown(file: Mapping[str, Any]) -> list[str]:
    """What is wrong with names in ``.gittrack.toml`` that are no settings."""
    faults = []
    for name in file:
        if name not in setting_names() and name not in _TABLES:
            from difflib import get_close_matches

            near = get_close_matches(name, setting_names(), 1)
            meant = f": is '{near[0]}' meant?" if near else ""
            faults.append(f"'{name[:60]}' in {CONFIG_FILE} is no setting{meant}")
    return faults


def sources(environ: Mapping[str, str], git_config: Mapping[str, str], file: Mapping[str, Any]) -> dict[str, str]:
    """Where each setting comes from: ``environment``, ``git config``, the file's name or ``default``."""
    result = {}
    for name in setting_names():
        if environ.get(variable(name)):
            result[name] = "environment"
        elif git_key(name).lower() in git_config:
            result[name] = "git config"
        else:
            result[name] = CONFIG_FILE if name in file and name not in OWN_SETTINGS else "default"
    return result


def _converted(where: str, found: Any, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return boolean(where, found)
        if isinstance(default, int):
            return _bytes(found)
        if isinstance(default, float):
            return _seconds(found)
        if isinstance(default, tuple):
            parts = found.split(",") if isinstance(found, str) else found
            return tuple(str(part).strip() for part in parts if str(part).strip())
    except (TypeError, ValueError, OverflowError) as error:
        text = f"{where} is '{str(found)[:60]}', not {_KINDS[type(default)]}"
        raise UsageError(text, hint="gittrack config") from error
    return str(found)


def boolean(where: str, found: Any) -> bool:
    """A truth as settings write it: 1, true, yes, on; 0, false, no, off or nothing.

    Args:
        where: what holds it, for the error.
        found: a bool or a text.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(found, bool):
        return found
    text = str(found).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise UsageError(f"{where} is '{str(found)[:60]}', neither true nor false", hint="gittrack config")


def truth_or_auto(where: str, found: str) -> str:
    """A truth, or ``auto``, as ``true``, ``false`` or ``auto``; raises UsageError when it is none of them."""
    if found.strip().lower() == "auto":
        return "auto"
    try:
        return "true" if boolean(where, found) else "false"
    except UsageError as error:
        raise UsageError(f"{where} is '{found[:60]}', not true, false or auto", hint="gittrack config") from error


def live_seconds(where: str, found: Any) -> float:
    """How often checkpoints are pushed: ``30s``, ``2m``, a number of seconds; a truth means every 30 s or never.

    Args:
        where: what holds it, for the error.
        found: a text, a number or a bool.

    Returns:
        Seconds, 1 to 600; 0 for never.

    Raises:
        UsageError: it is none of these.
    """
    text = str(found).strip().lower()
    if isinstance(found, bool) or text in _TRUE - {"1"} or text in _FALSE:
        return LIVE_SECONDS if boolean(where, found) else 0.0
    try:
        seconds = float(text[:-1]) * _OF_TIME[text[-1]] if text[-1] in _OF_TIME else float(text)
    except ValueError:
        seconds = -1.0
    if seconds == 0:
        return 0.0
    if not _LEAST_LIVE <= seconds <= _MOST_LIVE:  # NaN is not either
        raise UsageError(f"{where} is '{str(found)[:60]}', not a time from 1s to 10m", hint="gittrack run --live=30s …")
    return seconds


_OF_ITS_OWN: Mapping[str, Callable[[str, Any], Any]] = {"live": live_seconds, "sign": truth_or_auto}
"""Settings that are no plain text, number, truth or list, and what reads each."""


def _bytes(found: Any) -> int:
    if isinstance(found, int):
        number = found
    else:
        text = str(found).strip().lower()
        unit = _UNITS.get(text[-1:], 1)
        number = int(text[:-1] if unit > 1 else text) * unit
    if not 0 <= number <= _MOST_BYTES:
        raise ValueError("no number of bytes")
    return number


def _seconds(found: Any) -> float:
    number = float(found)
    if not 0 < number <= _MOST_SECONDS:  # NaN is not either
        raise ValueError("no time to wait")
    return number
