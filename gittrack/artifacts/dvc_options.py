"""What a repository may say about a DVC remote to whoever clones it: addresses and figures, nothing that runs commands.

AWS settings and credentials may name a ``credential_process``, a WebDAV token may come from a command. Where they stand
in a file that git brought along, whoever wrote the repository would run programs on the machine of whoever pulls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gittrack.errors import GittrackError, RemoteError
from gittrack.git.program import run_git

_PLAIN = frozenset(
    (
        # of every remote
        "url jobs checksum_jobs worktree version_aware no_traverse verify type shared protected slow_link_warning "
        "timeout read_timeout connect_timeout connection_timeout allow_anonymous_login user password ask_password "
        "token "
        # S3, Google Cloud, Azure
        "region profile endpointurl access_key_id secret_access_key session_token listobjects use_ssl sse "
        "sse_kms_key_id  sse_customer_algorithm sse_customer_key acl grant_read grant_read_acp grant_write_acp "
        "grant_full_control  cache_regions projectname connection_string sas_token account_name account_key "
        "tenant_id client_id client_secret  exclude_environment_credential exclude_visual_studio_code_credential "
        "exclude_shared_token_cache_credential  exclude_managed_identity_credential "
        # SSH, HTTP, WebDAV, HDFS, OSS, Google Drive
        "port passphrase ask_passphrase gss_auth allow_agent max_sessions auth custom_auth_header method "
        "kerb_ticket  replication kerberos kerberos_principal proxy_to use_https data_proxy_target oss_key_id "
        "oss_key_secret  oss_endpoint gdrive_use_service_account gdrive_client_id gdrive_client_secret "
        "gdrive_service_account_user_email  gdrive_trash_only gdrive_acknowledge_abuse "
    ).split()
)
_FILES = frozenset(
    "configpath credentialpath keyfile cert_path key_path ssl_verify gdrive_user_credentials_file "
    "gdrive_service_account_json_file_path".split()
)
"""Options that name a file: it may be the user's own, but not one that the repository brings."""
_MOST_ALIASES = 20


def refuse_untrusted(config: Any, dvc_folder: Path, name: str) -> None:
    """Refuse what could run commands, in what git brought along about a remote and those that it is an alias of.

    Args:
        config: DVC's configuration.
        dvc_folder: the project's ``.dvc`` folder.
        name: of the remote.

    Raises:
        RemoteError: there is such an option.
    """
    top = _top_of(dvc_folder)
    for file, sections in _brought_along(config, dvc_folder, top):
        for remote in _with_aliases(config, name):
            for option, value in sections.get(remote, {}).items():
                if option in _PLAIN or (option in _FILES and not _is_within(top, dvc_folder, value)):
                    continue
                text = (
                    f"'.dvc/{file}' sets {option} of remote '{remote}', which could run commands: git brought it here"
                )
                hint = f"dvc remote modify --local {remote} {option} VALUE, when it is yours; then remove it there"
                raise RemoteError(text, hint=hint)


def _with_aliases(config: Any, name: str) -> Iterator[str]:
    """The remote's name and those that it refers to by ``remote://``, as DVC keeps them: in lower case."""
    remotes = config.get("remote", {})
    for _ in range(_MOST_ALIASES):
        name = name.lower()
        yield name
        url = urlsplit(str(remotes.get(name, {}).get("url", "")))
        if url.scheme != "remote":
            return
        name = url.netloc
    raise RemoteError(f"the DVC remotes refer to each other without end, from '{name}'", hint="dvc remote list")


def _brought_along(config: Any, dvc_folder: Path, top: Path) -> Iterator[tuple[str, Mapping[str, Mapping[str, Any]]]]:
    """The files that a clone has from git: ``config``, and ``config.local`` where git tracks it."""
    yield "config", config.read("repo").get("remote", {})
    if (dvc_folder / "config.local").exists() and _is_tracked(dvc_folder / "config.local", top):
        yield "config.local", config.read("local").get("remote", {})


def _is_tracked(file: Path, top: Path) -> bool:
    try:
        return bool(run_git(["ls-files", "--", os.path.relpath(file, top)], cwd=top))
    except GittrackError:  # nobody knows: then it is not trusted
        return True


def _is_within(top: Path, dvc_folder: Path, value: Any) -> bool:
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return False
    file = os.path.realpath(os.path.join(dvc_folder, os.path.expanduser(str(value))))
    return f"{file}/".startswith(f"{os.path.realpath(top)}/")


def _top_of(dvc_folder: Path) -> Path:
    """The top of the work tree around a DVC project; the project's own folder where there is none."""
    for place in dvc_folder.parents:
        if (place / ".git").exists():
            return place
    return dvc_folder.parent
