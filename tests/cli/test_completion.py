"""Completion: what is offered, and that no shell runs what others named."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gittrack
from gittrack.cli.completion_scripts import SCRIPTS, read_line

BREAKS = " \t\n\"'@><=;|&(:"
HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "a\ntouch pwned",
    "a' touch pwned '",
    'a" touch pwned "',
    "a|touch pwned",
    "a&touch pwned",
    "a>pwned",
    "\x1b]0;title\x07",
    "!touch",
    "{a,b}",
    "a*",
    "~root",
    "-rf",
    "\u202eevil",
)


@pytest.fixture
def complete(cli):
    """``complete("gittrack show s")``: what bash would be told, without the first line."""

    def call(line: str) -> list[str]:
        answer = cli("completion", "--answer", "bash", "--", BREAKS, line)
        assert (answer.code, answer.err) == (0, "")
        return answer.out.splitlines()[1:]

    return call


@pytest.fixture
def runs(cli, record):
    ids = {}
    for name, experiment in (("one", "first"), ("two", "second"), ("two", "second"), ("my run", "second")):
        ids[name] = record(
            name,
            {"acc": [1], "val/acc": [1], "f1 score": [1]},
            params={"lr": 1},
            tags={"team": "x"},
            experiment=experiment,
        )
    cli("ls")
    return ids


def test_commands_and_options(complete):
    assert complete("gittrack sho") == ["show "]
    assert "--columns " in complete("gittrack ls --col")
    assert complete("gittrack artifact l") == ["ls "]
    assert complete("gittrack ls --status fai") == ["failed "]
    assert complete("gittrack completion z") == ["zsh "]
    assert {"show ", "similar ", "completion "} <= set(complete("gittrack "))


def test_runs_are_offered_by_name_and_by_id_where_a_name_does_not_do(complete, runs):
    offered = complete("gittrack show ")
    assert offered[0] == runs["my run"][:8] + " ", "the newest first; its name has a blank"
    assert "one " in offered
    assert "two " not in offered, "two runs have that name"
    assert complete("gittrack show o") == ["one "]
    assert complete(f"gittrack show {runs['one'][:5]}") == [runs["one"][:8] + " "]
    assert complete("gittrack compare one o") == ["one "]
    assert complete("gittrack show @l") == ["@latest "]
    assert complete("git track show o") == ["one "]
    assert complete("git -C . track show o") == ["one "]


def test_a_run_that_is_new_is_offered_without_another_command(complete, runs, record):
    record("newest")
    assert complete("gittrack show new") == ["newest "]


def test_a_run_in_progress_is_offered(complete, runs):
    with gittrack.start_run(name="going-on"):
        assert complete("gittrack watch go") == ["going-on "]


def test_deleted_runs_are_offered_to_restore_only(complete, cli, runs):
    assert cli("rm", "--yes", "one").code == 0
    cli("ls")
    assert complete("gittrack show o") == []
    assert complete("gittrack restore o") == ["one "]


def test_experiments_metrics_and_keys(complete, runs):
    assert complete("gittrack ls -e s") == ["second "]
    assert complete("gittrack ls -e ") == ["second ", "first "]
    assert complete("gittrack pareto -m ac") == ["acc "]
    assert complete("gittrack ls --sort -metrics.a") == ["-metrics.acc"]
    assert complete("gittrack ls --sort=metrics.a") == ["metrics.acc"]
    assert complete("gittrack ls --columns name,params.") == ["name,params.lr"]
    assert complete("gittrack similar one --on params.l") == ["params.lr"]
    assert complete("gittrack tag one te") == ["team="]
    assert complete("gittrack run -p l") == ["lr="]


def test_names_within_a_query(complete, runs):
    assert complete('gittrack ls "metrics.a') == [f"metrics.acc {sign}" for sign in "=<>"], "the quote stays open"
    assert complete("gittrack ls metrics.v") == ["metrics.val/acc"]
    assert complete('gittrack ls "metrics.acc > 0.5 and par') == [
        "metrics.acc > 0.5 and params.",
        "metrics.acc > 0.5 and parent",
    ]
    assert complete('gittrack count \'status = "finished" and tags.t')[0].startswith(
        'status = "finished" and tags.team'
    )
    assert complete("gittrack ls 'summary.acc.mi") == [f"summary.acc.min {sign}" for sign in "=<>"]
    assert complete("gittrack ls 'name = \"metrics.a") == [], "within a text"
    assert not any("f1" in each for each in complete("gittrack ls metrics."))


@pytest.fixture
def values(cli, record, repo):
    (repo / "x.csv").write_text("a", encoding="utf-8")
    for number, model in enumerate(("rf", "random forest", "gbt", "$(touch pwned)", "a'b")):
        with gittrack.start_run(
            name=f"run{number}", params={"model": model, "depth": number % 3, "id": f"x{number}"}
        ) as run:
            run.log_input("x.csv", role="train")
            run.set_tag("team", "vision")
    for number in range(120):
        record(f"many{number}", params={"seed": number + 1000})
    cli("ls", "data.train.hash is null")


def test_values_within_a_query(complete, values):
    assert complete('gittrack ls "status = ')[:3] == [
        f"status = '{name}'" for name in ("running", "finished", "failed")
    ]
    assert complete("gittrack ls \"status = 'fini") == ["status = 'finished'"]
    assert complete("gittrack ls 'status = ")[1] == 'status = "finished"', "quoted by the other kind"
    assert complete("gittrack ls 'dirty and status!=\"fini") == ['dirty and status!="finished"']
    safe = ["gbt", "random forest", "rf"]
    assert complete('gittrack ls "params.model = ') == [f"params.model = '{name}'" for name in safe]
    assert complete("gittrack ls \"dirty or params.model in ('rf', 'r") == [
        f"dirty or params.model in ('rf', '{name}'" for name in safe[1:]
    ]
    assert complete('gittrack count "params.depth = ') == [f"params.depth = {number}" for number in range(3)]
    assert complete('gittrack ls "tags.team = ') == ["tags.team = 'vision'"]
    assert complete("gittrack ls \"experiment = 'D") == ["experiment = 'Default'"]
    assert complete('gittrack ls "dirty = ') == ["dirty = true", "dirty = false"]
    assert not any("10" in each for each in complete('gittrack ls "params.seed = ')), "too many to help"
    assert not any("finished" in each for each in complete("gittrack ls \"name = 'status = '"))
    for line in ("gittrack ls status=", "gittrack ls status\\ =\\ "):
        assert not any("'" in each or '"' in each for each in complete(line)), "no quote within an unquoted word"


def test_roles_and_parts_of_data(complete, values):
    assert complete('gittrack ls "data.') == ["data.train."] or complete('gittrack ls "data.')[0].startswith(
        "data.train."
    )
    assert "data.train.hash" in complete("gittrack ls data.train.")
    assert complete("gittrack ls data.train.ha") == ["data.train.hash"]
    assert complete("gittrack ls tags.mlflow.u") == ["tags.mlflow.user"]
    assert complete("gittrack ls inputs.ro") == ["inputs.role"]
    assert complete("gittrack ls artifacts.") == [f"artifacts.{part}" for part in ("path", "hash", "size", "type")]


def test_without_data_nothing_is_put_behind_its_name(complete, runs):
    assert complete('gittrack ls "data.') == []
    assert complete('gittrack ls "dat') == []


def test_runs_whose_name_does_not_do_are_offered_by_their_ids(complete, cli, record):
    dups = [record("zdup") for _ in range(3)]
    blank = record("renamed ä")
    cli("ls")
    assert complete("gittrack show zdu") == ["zdu", *(id[:8] for id in reversed(dups))]
    assert complete("gittrack show zren") == []
    assert complete("gittrack show rena") == [f"{blank[:8]} "]
    assert complete('gittrack show "rena') == [blank[:8]]
    lines = cli("completion", "--answer", "zsh", "gittrack", "show", "zdup").out.splitlines()
    assert lines[0] == "ids"
    assert [line.partition("\t")[0] for line in lines[1:]] == [id[:8] for id in reversed(dups)]
    assert all("zdup: finished, " in line for line in lines[1:])


def test_views_after_an_at_sign(complete, cli, runs):
    cli("views", "save", "good", "metrics.acc > 0.5")
    assert complete("gittrack ls @g") == ["@good "]
    assert "@good" in complete("gittrack ls ")
    assert complete("gittrack views show g") == ["good "]


def test_artifacts_of_a_run(complete, repo, cli):
    with gittrack.start_run(name="maker", strict=True) as run:
        run.log_text("x", "notes/a.txt")
        run.log_text("x", "b c.txt")
    cli("ls")
    assert complete("gittrack artifact get maker n") == ["notes/a.txt "]
    assert complete("gittrack artifact get maker ") == ["notes/a.txt "]


def test_files_are_left_to_the_shell(cli, repo):
    for line in ("gittrack plot one -o ", "gittrack run -- pyt", "gittrack whence "):
        assert cli("completion", "--answer", "bash", "--", BREAKS, line).out == "files\n"


def test_nothing_is_made_where_there_is_no_index(cli, complete, record, repo):
    record("one")
    index = repo / ".git" / "gittrack" / "index.sqlite"
    before = sorted(os.listdir(index.parent))
    assert complete("gittrack show o") == []
    assert complete("gittrack artifact get one n") == []
    assert sorted(os.listdir(index.parent)) == before
    assert not index.exists()


def test_a_damaged_index_is_no_error_and_stays(cli, complete, runs, repo):
    index = repo / ".git" / "gittrack" / "index.sqlite"
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        index.with_name(name).unlink(missing_ok=True)
    index.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert "one " not in complete("gittrack show o")
    assert index.read_bytes().endswith(b"xxx")


def test_it_is_silent_outside_of_a_repository_and_on_nonsense(tmp_path, cli, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    for line in (
        "gittrack show ",
        "gittrack nosuch x",
        "gittrack ls --nosuch x",
        'gittrack ls "',
        "",
        "git track",
        "'",
    ):
        answer = cli("completion", "--answer", "bash", "--", BREAKS, line)
        assert (answer.code, answer.err) == (0, "")
    assert cli("completion", "--answer", "zsh").out == ""


def test_a_directory_is_heeded(cli, complete, runs, repo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complete(f"gittrack -C {repo} show o") == ["one "]


def test_names_of_others_add_nothing_that_a_shell_would_heed(complete, cli, record):
    safe = {"@latest", "@-2", "hostile"}
    for name in HOSTILE:
        try:
            id = record(name, {name: [1]}, params={name: 1}, tags={name: "x"}, experiment="hostile")
        except gittrack.errors.GittrackError:
            id = record("x", experiment=name.replace("\n", "").replace("\x1b", "").replace("\x07", "")[:60] or "x")
        safe.add(id[:8])
    cli("ls")
    assert len(complete("gittrack show ")) > len(HOSTILE)
    for typed in ("show ", "show a", "show $", "show \\`", "ls -e ", "ls -e a", "ls metrics.", "pareto -m ", "run -p "):
        for word in complete(f"gittrack {typed}"):
            assert word.strip() in {*safe, typed.split()[-1]}, (typed, word)
    for line in cli("completion", "--answer", "zsh", "gittrack", "show", "").out.splitlines()[1:]:
        word, _, about = line.partition("\t")
        assert word in safe
        assert about.isprintable(), about


def test_lines_are_read_as_bash_does(tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    for line in ("a 'b c' d", 'a "b\\"c" d', "a b\\ c d", 'a "b\\n$" d', "a '' d", "a b'c'\"d\" e"):
        printed = subprocess.run(
            [bash, "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True
        ).stdout.split("\0")[:-1]
        typed = read_line(line + " ")
        assert list(typed.before) == [word.replace("$", "$") for word in printed], line


def test_a_script_for_each_shell(cli):
    for shell in SCRIPTS:
        answer = cli("completion", shell)
        assert (answer.code, answer.out) == (0, SCRIPTS[shell])
    assert cli("completion", "tcsh").code == 2
    assert cli("completion").code == 2


# --- real shells ---


@pytest.fixture
def shell_world(repo, project_env, tmp_path) -> dict[str, str]:
    """An environment where ``gittrack`` is on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "gittrack"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gittrack "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return {**project_env, "PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}


def typed_into(argv: list[str], keys: list[str], env: dict[str, str], until: str) -> str:
    """What an interactive shell shows when something is typed, up to where ``until`` is seen."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(argv, stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True)
    os.close(follower)
    shown = ""
    try:
        for number, each in enumerate(["", *keys]):
            os.write(leader, each.encode())
            deadline = time.monotonic() + 20
            wanted = "$ " if not number else until if number == len(keys) else ""
            start = len(shown) if number else 0
            while time.monotonic() < deadline and (wanted not in shown[start:] or not wanted):
                ready, _, _ = select.select([leader], [], [], 0.2 if wanted else 2.0)
                if ready:
                    shown += os.read(leader, 65536).decode("utf-8", "replace").replace("\a", "")
                elif not wanted:
                    break
        return shown
    finally:
        child.kill()
        child.wait()
        os.close(leader)


@pytest.fixture
def bash(shell_world, tmp_path):
    program = shutil.which("bash")
    if program is None:
        pytest.skip("no bash here")
    rc = tmp_path / "bashrc"
    rc.write_text('PS1="$ "\nbind "set enable-bracketed-paste off"\neval "$(gittrack completion bash)"\n', "utf-8")

    def call(*keys: str, until: str) -> str:
        return typed_into([program, "--noprofile", "--rcfile", str(rc), "-i"], list(keys), shell_world, until)

    return call


def test_bash_completes(bash, runs):
    for typed, becomes in (
        ("gittrack show on\t", "gittrack show one "),
        ("gittrack show @l\t", "gittrack show @latest "),
        ("gittrack ls --sort=metrics.v\t", "gittrack ls --sort=metrics.val/acc"),
        ('gittrack ls "params.lr = 1 and metrics.v\t', 'gittrack ls "params.lr = 1 and metrics.val/acc '),
        ("gittrack ls 'metrics.ac\t> 0", "gittrack ls 'metrics.acc > 0"),
        ("gittrack ls \"status = 'fin\t", "gittrack ls \"status = 'finished'"),
        ("gittrack ls 'params.lr = 1 and status = \"fin\t", 'gittrack ls \'params.lr = 1 and status = "finished"'),
        ("gittrack show my\t", f"{runs['my run'][:8]} "),
    ):
        assert becomes in bash(typed, until=becomes)


def test_bash_lists_ids_and_leaves_what_is_typed(bash, record, cli):
    ids = [record("zdup") for _ in range(2)]
    cli("ls")
    shown = bash("gittrack show zd\t\t", until="$ gittrack show zd").replace("\r", "")
    assert all(id[:8] in shown for id in ids)
    assert shown.endswith("$ gittrack show zd")


def test_bash_completes_for_git_track(bash, runs):
    found = next(map(Path, filter(os.path.exists, ("/usr/share/bash-completion/completions/git",))), None)
    if found is None:
        pytest.skip("git's own completion is not here")
    shown = bash(f". {found}\n", "git track show on\t", until="git track show one ")
    assert "git track show one " in shown


def test_bash_runs_nothing_that_a_name_says(bash, record, cli, repo):
    names = ["k0$(touch pwned)", "k1`touch pwned`", "k2;touch pwned", "k3|touch pwned", "k4&touch pwned"]
    for name in names:
        record(name, {name: [1]})
    cli("ls")
    lines = [f"gittrack show k{number}\t\n" for number in range(len(names))]
    bash(*lines, 'gittrack ls "metrics.k0\t"\n', "gittrack show \t\t\n", "echo do''ne\n", until="done")
    assert not list(repo.glob("pwned*"))


def test_fish_completes(shell_world, runs, cli, tmp_path, repo):
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("no fish here")
    script = tmp_path / "gittrack.fish"
    script.write_text(SCRIPTS["fish"], encoding="utf-8")
    done = subprocess.run(
        [fish, "--no-config", "-c", f"source {script}; complete -C 'gittrack show on'"],
        env=shell_world,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("one\tfinished, ")


def test_zsh_completes(shell_world, runs, tmp_path):
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("no zsh here")
    folder = tmp_path / "zdot"
    folder.mkdir()
    lines = 'PS1="$ "\nautoload -U compinit; compinit -u -D\neval "$(gittrack completion zsh)"\n'
    (folder / ".zshrc").write_text(lines, encoding="utf-8")
    env = {**shell_world, "ZDOTDIR": str(folder)}
    assert "show one " in typed_into([zsh, "-i"], ["gittrack show on\t"], env, "show one ")
