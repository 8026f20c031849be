from __future__ import annotations

import pytest

from gittrack.capture.ci import ci_job

GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "team/churn",
    "GITHUB_RUN_ID": "42",
    "GITHUB_REF_NAME": "17/merge",
    "GITHUB_HEAD_REF": "feature",
    "GITHUB_REF": "refs/pull/17/merge",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_ACTOR": "ann",
    "GITHUB_TOKEN": "ghs_" + "q7" * 18,
}


def test_github_actions_gives_url_ref_commit_and_pull_request() -> None:
    assert ci_job(GITHUB) == {
        "provider": "github",
        "url": "https://github.com/team/churn/actions/runs/42",
        "job": "42",
        "ref": "feature",
        "commit": "a" * 40,
        "pull_request": "17",
        "actor": "ann",
    }


@pytest.mark.parametrize(
    ("environ", "provider", "url"),
    [
        ({"GITLAB_CI": "true", "CI_JOB_URL": "https://u:p@gl.example/j/7?t=1"}, "gitlab", "https://gl.example/j/7"),
        ({"JENKINS_URL": "https://j/", "BUILD_URL": "https://j/job/x/3/"}, "jenkins", "https://j/job/x/3/"),
        ({"CIRCLECI": "true", "CIRCLE_BUILD_URL": "https://c/gh/3"}, "circleci", "https://c/gh/3"),
        (
            {"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev/o/", "SYSTEM_TEAMPROJECT": "p"},
            "azure",
            "https://dev/o/p/_build/results",
        ),
        ({"BUILDKITE": "true", "BUILDKITE_BUILD_URL": "https://bk/3"}, "buildkite", "https://bk/3"),
        ({"TRAVIS": "true", "TRAVIS_JOB_WEB_URL": "https://t/3"}, "travis", "https://t/3"),
        (
            {"BITBUCKET_BUILD_NUMBER": "3", "BITBUCKET_GIT_HTTP_ORIGIN": "https://bb/t/r"},
            "bitbucket",
            "https://bb/t/r/pipelines/results/3",
        ),
        ({"GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true"}, "gitea", None),
        ({"CI": "woodpecker", "CI_SYSTEM_NAME": "woodpecker"}, "woodpecker", None),
        ({"CI": "1"}, "unknown", None),
    ],
)
def test_every_service_is_recognised_and_its_url_has_no_credentials(
    environ: dict[str, str], provider: str, url: str | None
) -> None:
    job = ci_job(environ)
    assert job["provider"] == provider
    assert job.get("url") == url


@pytest.mark.parametrize(
    "environ", [{}, {"CI": "false"}, {"CI": ""}, {"GITHUB_ACTIONS": "false"}, {"CI_SYSTEM_NAME": "x"}]
)
def test_outside_ci_there_is_nothing(environ: dict[str, str]) -> None:
    assert ci_job(environ) == {}


def test_a_token_of_the_job_is_never_in_the_answer() -> None:
    assert GITHUB["GITHUB_TOKEN"] not in repr(ci_job(GITHUB | {"GITHUB_ACTOR": GITHUB["GITHUB_TOKEN"]}))
