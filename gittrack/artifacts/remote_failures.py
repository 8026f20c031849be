"""What libraries raise when a place elsewhere fails, told as one line with what mends it.

The libraries are many (botocore, aiohttp, google, azure, asyncssh) and none of them is imported here: their errors are
known by the names of their classes, along the chain of causes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gittrack.artifacts.bytes_store import hint_of
from gittrack.core.redact import redact_text, redact_url
from gittrack.errors import ArtifactNotFoundError, AuthenticationError, GittrackError, RemoteError, StorageError

if TYPE_CHECKING:
    from gittrack.artifacts.remote import RemoteAddress

_SIGN_IN = frozenset(
    (
        "PermissionError NoCredentialsError PartialCredentialsError CredentialRetrievalError TokenRetrievalError "
        "UnauthorizedSSOTokenError SSOTokenLoadError SSOError LoginRefreshRequired ProfileNotFound AuthError "
        "InvalidAccessKeyId SignatureDoesNotMatch AccessDenied ExpiredToken DefaultCredentialsError RefreshError "
        "ClientAuthenticationError CredentialUnavailableError PermissionDenied 401 403"
    ).split()
)
_NOT_REACHED = frozenset(
    (
        "EndpointConnectionError ConnectTimeoutError ReadTimeoutError ConnectionClosedError ClientConnectorError "
        "ServerDisconnectedError ClientOSError ConnectionError ConnectionRefusedError ConnectionResetError "
        "TimeoutError gaierror ConnectionLost ServiceRequestError TransportError ConnectError URLError"
    ).split()
)
_NOWHERE = frozenset({"NoSuchBucket", "ContainerNotFound"})
_FULL = ("QuotaExceeded", "StorageFull", "InsufficientStorage", "Insufficient Storage", "quota", "No space left")
_LONGEST = 300


def remote_failure(
    error: BaseException, address: RemoteAddress, what: str = "", *, sending: bool = False
) -> GittrackError:
    """The error to show for what a library raised while it moved bytes.

    Args:
        error: what it raised.
        address: the place.
        what: the artifact that was being moved; ``""`` when the place as a whole was asked.
        sending: whether it was on its way there.
    """
    place = f"the remote '{address.shown}'"
    if what and not sending and isinstance(error, FileNotFoundError) and not _names(error) & _NOWHERE:
        text = f"the bytes of '{what}' are not at '{address.shown}'"
        return ArtifactNotFoundError(text, hint="gittrack artifact push, where they are")
    return _failure(error, place, _check(address), _sign_in(address), _endpoint(address), sending=sending)


def reference_failure(error: BaseException, shown: str) -> GittrackError:
    """The error to show for what a library raised while it fetched what a reference points to.

    Args:
        error: what it raised.
        shown: the reference's address, fit to be printed.
    """
    return _failure(error, f"'{shown}'", "try again", "sign in with the tool of that place", sending=False)


def _failure(
    error: BaseException, place: str, check: str, sign_in: str, unreached: str = "", *, sending: bool
) -> GittrackError:
    if isinstance(error, GittrackError):
        return error
    names = _names(error)
    said = redact_text(_said(error))[:_LONGEST]
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None and not sending:
        # Only the operating system gives both: what was fetched could not be written here.
        return StorageError(f"cannot write '{error.filename}': {error.strerror}", hint=hint_of(error))
    if _is_full(error, {said, *names}):
        return RemoteError(f"{place} is full: {said}", hint="make room there, then push again")
    if names & _NOWHERE:
        return RemoteError(f"{place} does not exist: {said}", hint=check)
    if names & _SIGN_IN:
        return AuthenticationError(f"{place} does not let us in: {said}", hint=sign_in)
    if names & _NOT_REACHED:
        return RemoteError(f"{place} cannot be reached: {said}", hint=unreached or check)
    return RemoteError(f"{place} failed: {said}", hint=check)


def _names(error: BaseException) -> set[str]:
    """What an error and its causes are called: their classes, and the provider's own codes."""
    chain = list(_chain(error))
    return {kind.__name__ for each in chain for kind in type(each).__mro__} | {_code(each) for each in chain}


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: BaseException | None = error
    while waiting is not None and id(waiting) not in seen:
        seen.add(id(waiting))
        yield waiting
        waiting = waiting.__cause__ or waiting.__context__


def _code(error: BaseException) -> str:
    """The provider's own code of an error, where it has one: botocore's, or a status of HTTP."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(error, "error_code", None) or getattr(error, "status", None) or getattr(error, "code", ""))


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")


def _is_full(error: BaseException, texts: set[str]) -> bool:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or any(word in text for text in texts for word in _FULL)


def _endpoint(address: RemoteAddress) -> str:
    """What to look at when nobody answers where an endpoint is set; empty without one."""
    if not address.endpoint:
        return ""
    return f"dvc remote modify {address.name} endpointurl URL; now it is '{redact_url(address.endpoint)}'"


def _sign_in(address: RemoteAddress) -> str:
    if address.name and address.url.startswith("s3://"):
        return f"dvc remote modify --local {address.name} profile NAME, or access_key_id and secret_access_key"
    if address.name:
        return f"dvc remote modify --local {address.name} user NAME, or what its kind of place wants"
    if address.url.startswith("s3://"):
        return "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    return "sign in with the tool of the place"


def _check(address: RemoteAddress) -> str:
    if address.name and not address.elsewhere:
        return f"dvc remote modify {address.name} url URL"
    return "gittrack config artifact_remote URL"
