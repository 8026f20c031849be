"""The CI job a process runs in, read from the variables each service sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gittrack.capture.redaction import safe_text
from gittrack.core.redact import redact_url


class _Service(NamedTuple):
    """How one CI service tells about its job.

    ``url`` is a template over environment variables; each other field names the variables to try in turn.
    """

    provider: str
    marker: str
    url: str
    job: tuple[str, ...]
    ref: tuple[str, ...]
    commit: tuple[str, ...]
    pull_request: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()


_GITHUB_URL = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
_GITHUB_REFS = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "GITHUB_REF")
_GITHUB = (("GITHUB_RUN_ID",), _GITHUB_REFS, ("GITHUB_SHA",), (), ("GITHUB_ACTOR",))
_SERVICES = (
    _Service("gitea", "GITEA_ACTIONS", _GITHUB_URL, *_GITHUB),
    _Service("forgejo", "FORGEJO_ACTIONS", _GITHUB_URL, *_GITHUB),
    _Service("github", "GITHUB_ACTIONS", _GITHUB_URL, *_GITHUB),
    _Service(
        "gitlab", "GITLAB_CI", "{CI_JOB_URL}", ("CI_JOB_ID",),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"), ("CI_COMMIT_SHA",),
        ("CI_MERGE_REQUEST_IID",), ("GITLAB_USER_LOGIN",),
    ),
    _Service(
        "jenkins", "JENKINS_URL", "{BUILD_URL}", ("BUILD_TAG", "BUILD_ID"),
        ("CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"), ("GIT_COMMIT",), ("CHANGE_ID",),
    ),
    _Service(
        "circleci", "CIRCLECI", "{CIRCLE_BUILD_URL}", ("CIRCLE_WORKFLOW_JOB_ID", "CIRCLE_BUILD_NUM"),
        ("CIRCLE_BRANCH", "CIRCLE_TAG"), ("CIRCLE_SHA1",), ("CIRCLE_PR_NUMBER",), ("CIRCLE_USERNAME",),
    ),
    _Service(
        "azure", "TF_BUILD", "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results", ("BUILD_BUILDID",),
        ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"), ("BUILD_SOURCEVERSION",),
        ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
    ),
    _Service(
        "buildkite", "BUILDKITE", "{BUILDKITE_BUILD_URL}", ("BUILDKITE_JOB_ID",), ("BUILDKITE_BRANCH",),
        ("BUILDKITE_COMMIT",), ("BUILDKITE_PULL_REQUEST",), ("BUILDKITE_BUILD_CREATOR",),
    ),
    _Service(
        "travis", "TRAVIS", "{TRAVIS_JOB_WEB_URL}", ("TRAVIS_JOB_ID",),
        ("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"), ("TRAVIS_COMMIT",), ("TRAVIS_PULL_REQUEST",),
    ),
    _Service(
        "bitbucket", "BITBUCKET_BUILD_NUMBER", "{BITBUCKET_GIT_HTTP_ORIGIN}/pipelines/results/{BITBUCKET_BUILD_NUMBER}",
        ("BITBUCKET_STEP_UUID", "BITBUCKET_BUILD_NUMBER"), ("BITBUCKET_BRANCH", "BITBUCKET_TAG"),
        ("BITBUCKET_COMMIT",), ("BITBUCKET_PR_ID",),
    ),
    _Service(
        "codebuild", "CODEBUILD_BUILD_ID", "{CODEBUILD_PUBLIC_BUILD_URL}", ("CODEBUILD_BUILD_ID",),
        ("CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_SOURCE_VERSION"), ("CODEBUILD_RESOLVED_SOURCE_VERSION",),
    ),
    _Service(
        "drone", "DRONE", "{DRONE_BUILD_LINK}", ("DRONE_BUILD_NUMBER",), ("DRONE_BRANCH",), ("DRONE_COMMIT_SHA",),
        ("DRONE_PULL_REQUEST",), ("DRONE_COMMIT_AUTHOR",),
    ),
    _Service(
        "woodpecker", "CI_SYSTEM_NAME", "{CI_PIPELINE_URL}", ("CI_PIPELINE_NUMBER",), ("CI_COMMIT_BRANCH",),
        ("CI_COMMIT_SHA",), ("CI_COMMIT_PULL_REQUEST",), ("CI_COMMIT_AUTHOR",),
    ),
    _Service("teamcity", "TEAMCITY_VERSION", "{BUILD_URL}", ("BUILD_NUMBER",), (), ("BUILD_VCS_NUMBER",)),
    _Service(
        "appveyor", "APPVEYOR", "{APPVEYOR_URL}/project/{APPVEYOR_ACCOUNT_NAME}/{APPVEYOR_PROJECT_SLUG}",
        ("APPVEYOR_JOB_ID",), ("APPVEYOR_REPO_BRANCH",), ("APPVEYOR_REPO_COMMIT",), ("APPVEYOR_PULL_REQUEST_NUMBER",),
    ),
)  # fmt: skip


def ci_job(environ: Mapping[str, str]) -> dict[str, str]:
    """What a CI service says about its job; ``{}`` outside CI.

    Returns:
        ``provider`` and, as far as known, ``url`` (without user info and query), ``job`` (the service's id of the
        job), ``ref`` (branch or tag), ``commit``, ``pull_request``, ``actor``.

    >>> ci_job({"CI": "true"})
    {'provider': 'unknown'}
    """
    for service in _SERVICES:
        if _is_set(environ, service.marker):
            return _describe(service, environ)
    return {"provider": "unknown"} if _is_set(environ, "CI") else {}


def _describe(service: _Service, environ: Mapping[str, str]) -> dict[str, str]:
    fields = {
        "url": redact_url(_fill(service.url, environ)),
        "job": _first(environ, service.job),
        "ref": _first(environ, service.ref),
        "commit": _first(environ, service.commit),
        "pull_request": _pull_request(service, environ),
        "actor": _first(environ, service.actor),
    }
    return {"provider": service.provider} | {name: safe_text(value[:2000]) for name, value in fields.items() if value}


def _pull_request(service: _Service, environ: Mapping[str, str]) -> str:
    if service.provider in ("github", "gitea", "forgejo"):
        parts = environ.get("GITHUB_REF", "").split("/")  # refs/pull/<number>/merge
        return parts[2] if parts[:2] == ["refs", "pull"] and len(parts) > 2 else ""
    found = _first(environ, service.pull_request)
    return "" if found == "false" else found


def _fill(template: str, environ: Mapping[str, str]) -> str:
    """The template with its variables filled in, or ``""`` when one of them is missing."""
    pieces = template.split("{")
    text = pieces[0]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}")
        value = environ.get(name, "")
        if not value:
            return ""
        text += value + rest
    return text


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if name == "CI_SYSTEM_NAME":
        return value == "woodpecker"
    return value not in ("", "0", "false", "no", "off")
