"""No credential enters a commit, by whatever door: everything reachable from the run is searched for it."""

from __future__ import annotations

import argparse
import os
import sys

import pytest

import gittrack

from .conftest import paths_of

TOKEN = "ghp_" + "0a1B2c3D4e5F6g7H8i9J" * 2
WORD = "correct-horse-battery-7731"
AWS = "aws_secret_access_" + "key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzq81Zk94tX'"


def test_secrets_of_the_environment_do_not(program, every_byte):
    code = "import gittrack\nwith gittrack.start_run('it'): pass"
    done = program(
        code, env={"GITHUB_TOKEN": TOKEN, "DB_PASSWORD": WORD, "MY_VALUE": WORD, "CUDA_VISIBLE_DEVICES": "0,1"}
    )
    assert done.returncode == 0, done.stderr
    found = every_byte(gittrack.get_run("it").commit)
    assert b"0,1" in found
    assert TOKEN.encode() not in found
    assert WORD.encode() not in found


def test_a_secret_variable_is_masked_even_when_it_is_asked_for(program, every_byte):
    program(
        "import gittrack\nwith gittrack.start_run('it'): pass",
        env={"GITTRACK_ENVIRONMENT": "DB_PASSWORD,FLAVOUR,SERVICE", "DB_PASSWORD": WORD, "FLAVOUR": "vanilla",
             "SERVICE": f"https://me:{WORD}@host/x"},
    )  # fmt: skip
    found = every_byte(gittrack.get_run("it").commit)
    assert b"vanilla" in found
    assert b"host/x" in found
    assert WORD.encode() not in found


def test_secrets_of_the_command_line_do_not(program, every_byte):
    code = "import gittrack\nwith gittrack.start_run('it'): pass"
    program(code, "--lr", "0.25", "--password", WORD, f"--api-key={WORD}", TOKEN, f"postgres://u:{WORD}@host/db")
    found = every_byte(gittrack.get_run("it").commit)
    assert b"0.25" in found
    assert WORD.encode() not in found
    assert TOKEN.encode() not in found


def test_secrets_of_a_wrapped_command_do_not(repo, gittrack_cli, every_byte):
    (repo / "train.py").write_text("import sys; print(len(sys.argv))")
    done = gittrack_cli("run", "-n", "it", "--", sys.executable, "train.py", "--lr", "1", "--token", TOKEN, cwd=repo)
    assert done.stdout == "5\n"
    assert TOKEN.encode() not in every_byte(gittrack.get_run("it").commit)


def test_credentials_of_the_remote_do_not(repo, git, every_byte):
    git("remote", "add", "origin", f"https://me:{TOKEN}@example.com/team/repo.git?token={WORD}", cwd=repo)
    git("config", "branch.main.remote", "origin", cwd=repo)
    git("config", "branch.main.merge", "refs/heads/main", cwd=repo)
    with gittrack.start_run() as run:
        pass
    saved = gittrack.get_run(run.id)
    assert saved.record.code.remote == "https://example.com/team/repo.git"
    found = every_byte(saved.commit)
    assert TOKEN.encode() not in found
    assert WORD.encode() not in found


def test_an_env_file_of_the_work_tree_does_not(repo, every_byte):
    (repo / ".env").write_text(f"DB_PASSWORD={WORD}\n")
    (repo / "id_rsa").write_text(WORD)
    (repo / "notes.txt").write_text("harmless")
    with gittrack.start_run() as run:
        pass
    saved = gittrack.get_run(run.id)
    found = every_byte(saved.commit)
    assert b"harmless" in found
    assert WORD.encode() not in found
    assert {(left.path, left.reason) for left in saved.record.code.left_out} == {
        (".env", "secret"),
        ("id_rsa", "secret"),
    }


@pytest.mark.parametrize("secret", [f"token = '{TOKEN}'", AWS], ids=["token", "aws"])
def test_a_key_inside_a_tracked_modified_file_does_not(repo, every_byte, secret):
    (repo / "train.py").write_text(f"print('training')\n{secret}\n")
    (repo / "other.py").write_text("print('new and harmless')\n")
    with gittrack.start_run() as run:
        pass
    saved = gittrack.get_run(run.id)
    found = every_byte(saved.commit)
    assert b"new and harmless" in found
    assert secret.encode() not in found
    assert [(left.path, left.reason[:7]) for left in saved.record.code.left_out] == [("train.py", "secret:")]


def test_a_param_named_like_a_secret_is_kept_as_stars(repo, every_byte, capfd):
    given = argparse.Namespace(
        lr=0.1, api_key=WORD, db={"password": WORD}, max_tokens=5, pad_token="<pad>", secret=None
    )
    with gittrack.start_run(params=given, strict=True) as run:
        assert run.log_param("hf_token", TOKEN) == TOKEN
        run.log_param("plain", TOKEN)
        run.log_param("urls", [f"https://u:{WORD}@host/a", "https://host/b?x=1"])
        run.log_param("rows", [{"password": WORD}])
        run.set_tag("slack_token", WORD)
        run.set_tag("where", f"postgres://u:{WORD}@host/db")
        assert WORD not in run._repr_html_()
    saved = gittrack.get_run(run.id)
    assert saved.params == {
        "lr": 0.1,
        "api_key": "***",
        "db.password": "***",
        "max_tokens": 5,
        "pad_token": "<pad>",
        "secret": None,
        "hf_token": "***",
        "plain": "***",
        "urls": ["https://host/a", "https://host/b?x=1"],
        "rows": [{"password": "***"}],
    }
    assert saved.tags == {"slack_token": "***", "where": "postgres://host/db"}
    found = every_byte(saved.commit)
    assert WORD.encode() not in found
    assert TOKEN.encode() not in found
    assert "param 'api_key' holds a secret and is kept without it" in capfd.readouterr().err


def test_secrets_in_a_traceback_do_not(repo, every_byte):
    with pytest.raises(ConnectionError), gittrack.start_run() as run:
        raise ConnectionError(f"login failed: postgres://u:{WORD}@host/db, token {TOKEN}")
    saved = gittrack.get_run(run.id)
    assert saved.record.error.startswith("ConnectionError: login failed")
    found = every_byte(saved.commit)
    assert WORD.encode() not in found
    assert TOKEN.encode() not in found


def test_secrets_in_what_could_not_be_logged_do_not(repo, every_byte):
    class Broken:
        def __float__(self):
            raise ValueError(f"https://u:{WORD}@host refused {TOKEN}")

    with gittrack.start_run() as run:
        run.log_metric("loss", Broken())
        run.log_params(Broken())
        run.log_input(f"s3://u:{WORD}@bucket/key?X-Amz-Signature={TOKEN}")
    saved = gittrack.get_run(run.id)
    found = every_byte(saved.commit)
    assert b"bucket/key" in found
    assert WORD.encode() not in found
    assert TOKEN.encode() not in found


def test_a_folder_of_artifacts_leaves_gits_own_folder_out(repo, git, every_byte):
    git("remote", "add", "origin", f"https://me:{TOKEN}@example.com/team/repo.git", cwd=repo)
    with gittrack.start_run() as run:
        run.log_artifacts(".")
    saved = gittrack.get_run(run.id)
    assert paths_of(saved) == ("train.py",)
    assert TOKEN.encode() not in every_byte(saved.commit)


def test_secrets_in_logged_output_do_not(repo, every_byte):
    with gittrack.start_run("it") as run:
        for piece in (f"loss 0.5\ntoken {TOKEN[:20]}", TOKEN[20:], f"\npassword={WORD}", "\nthe end"):
            run.log_output(piece.encode())
    assert gittrack.get_run("it").file("logs/output.txt") == b"loss 0.5\ntoken ***\npassword=***\nthe end"
    assert WORD.encode() not in every_byte(gittrack.get_run("it").commit)


def test_an_unfinished_line_of_output_is_written_by_the_process_that_logged_it(repo):
    with gittrack.start_run("it") as run:
        run.log_output(b"of the parent")
        child = os.fork()
        if not child:
            run.log_output(b"of the child\n")
            os._exit(0)
        os.waitpid(child, 0)
        run.log_output(b", finished\n")
    kept = gittrack.get_run("it").file("logs/output.txt")
    assert sorted(kept.splitlines()) == [b"of the child", b"of the parent, finished"]


def test_a_program_that_joins_keeps_no_secret_of_its_output_either(repo, gittrack_cli):
    (repo / "train.py").write_text(
        f"import gittrack\nwith gittrack.start_run() as run: run.log_output(b'password={WORD} and so on')\n"
    )
    assert gittrack_cli("run", "--name", "outer", "--", sys.executable, "train.py", cwd=repo).returncode == 0
    assert gittrack.get_run("outer").file("logs/output.txt") == b"password=*** and so on"


def test_a_token_in_the_name_of_a_run_or_experiment_is_masked_and_said_to_be(repo, capfd, every_byte):
    token = "ghp_" + "Zx8Kq2Lm5Np7Rt9Vw3Yb6Dc1Fg4Hj0Ks2QaX"
    with gittrack.start_run(f"try {token}", experiment=f"with {token}") as run:
        pass
    said = capfd.readouterr().err
    assert "the name of a run holds a secret and is kept as 'try secret-" in said
    assert "the name of an experiment holds a secret" in said
    saved = gittrack.get_run(run.id)
    assert saved.name.startswith("try secret-")
    assert token.encode() not in every_byte(saved.commit)
