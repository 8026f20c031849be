"""The group itself: help, errors and their exit codes, ``-C``, bugs, broken pipes, the pager."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import gittrack
import gittrack.errors
from gittrack._version import __version__
from gittrack.cli.main import COMMANDS, cli, main
from gittrack.cli.terminal import Terminal

COMMAND_FOLDER = Path(gittrack.__file__).parent / "cli" / "commands"


def test_the_table_says_of_each_command_what_its_help_text_begins_with():
    context = click.Context(cli)
    for name, (_, text) in COMMANDS.items():
        help_text = " ".join((cli.get_command(context, name).help or "").split())
        assert re.match(re.escape(text) + r"[.:]", help_text + "."), name


def test_every_module_of_a_command_is_in_the_table():
    modules = {path.stem for path in COMMAND_FOLDER.glob("*.py")} - {"__init__"}
    assert {module for module, _ in COMMANDS.values()} == modules


def test_every_command_has_help_and_every_option_a_help_text():
    context = click.Context(cli)

    def walk(command: click.Command):
        yield command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                yield from walk(command.get_command(context, name))

    for command in walk(cli):
        assert command.help, command.name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command.name, parameter.name)


def test_each_command_imports_the_api_only_when_it_runs():
    for path in COMMAND_FOLDER.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("gittrack.api"), path.name


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(words, capsys):
    main(words)
    said = capsys.readouterr()
    assert all(f"  {name}" in said.out + said.err for name in COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_has_a_help_page(command, capsys):
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: gittrack {command}")


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gittrack {__version__}\n"


def test_an_unknown_command_names_a_near_one(capsys):
    assert main(["shwo"]) == 2
    assert capsys.readouterr().err == "gittrack: error: there is no command 'shwo'\nhint: gittrack show\n"
    assert main(["zzz\x1b[0m"]) == 2
    assert capsys.readouterr().err == "gittrack: error: there is no command 'zzz\\x1b[0m'\nhint: gittrack --help\n"


def test_wrong_usage_of_a_command_points_at_its_help(capsys):
    assert main(["ls", "--wxyz"]) == 2
    assert capsys.readouterr().err == "gittrack: error: no such option '--wxyz'\nhint: gittrack ls --help\n"


def test_an_option_that_is_nearly_one_is_answered_with_that_one(capsys):
    assert main(["ls", "--statsu", "failed"]) == 2
    said = capsys.readouterr().err
    assert said == "gittrack: error: no such option '--statsu'\nhint: did you mean --status? gittrack ls --help\n"


@pytest.mark.parametrize("command", ["ls", "fsck", "config", "doctor", "recover", "init", "roll-up"])
def test_outside_a_repository_every_command_says_so(command, capsys):
    assert main([command]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "error: no git repository around" in said.err
    assert said.err.endswith("hint: git init\n")


@pytest.mark.parametrize(
    "error",
    [each for each in vars(gittrack.errors).values() if isinstance(each, type) and issubclass(each, Exception)],
)
def test_every_error_ends_with_its_exit_code_and_its_hint(error, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise error("it broke\x1b[31m", hint="mend it")

    monkeypatch.setattr(cli, "main", fail)
    assert main([]) == error.exit_code
    assert capsys.readouterr().err == "gittrack: error: it broke\\x1b[31m\nhint: mend it\n"


def test_exit_codes_are_those_of_the_table():
    table = {1, 2, 3, 4, 5, 6, 126, 127}
    codes = {each.exit_code for each in vars(gittrack.errors).values() if hasattr(each, "exit_code")}
    assert codes == table


def test_an_interrupt_is_130(monkeypatch):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", fail)
    assert main([]) == 130


def test_a_bug_is_one_line_and_a_report_that_only_its_owner_can_read(monkeypatch, capsys, tmp_path):
    def fail(*args, **kwargs):
        raise RuntimeError("surprise")

    monkeypatch.setattr(cli, "main", fail)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert main(["ls", "https://user:hunter22@host/x"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "gittrack: error: a bug in gittrack: RuntimeError: surprise"
    (report,) = (tmp_path / "state" / "gittrack").iterdir()
    assert second == f"hint: send us {report}"
    text = report.read_text()
    assert "Traceback" in text
    assert f"gittrack {__version__}" in text
    assert "hunter22" not in text
    assert report.stat().st_mode & 0o077 == 0


def test_a_bug_without_a_home_is_kept_among_temporary_files(monkeypatch, capsys, tmp_path):
    def fail(*args, **kwargs):
        raise RuntimeError("surprise")

    monkeypatch.setattr(cli, "main", fail)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main([]) == 1
    assert len(list(tmp_path.glob("bug-*.log"))) == 1


def test_work_begins_in_the_directory_given(repo, record, tmp_path, gittrack_cli):
    record("one")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for option in ("-C", "--repo"):
        done = gittrack_cli(option, str(repo), "ls", cwd=elsewhere, env={"GITTRACK_REPO": str(elsewhere)})
        assert "one" in done.stdout, done.stderr
    done = gittrack_cli("-C", str(repo), "run", "--", "pwd", cwd=elsewhere)
    assert done.stdout == f"{repo}\n"
    assert gittrack_cli("ls", cwd=elsewhere, env={"GITTRACK_REPO": str(repo)}).returncode == 0
    done = gittrack_cli("-C", str(tmp_path / "nowhere"), "ls")
    assert done.returncode == 2
    assert "no such file or directory" in done.stderr


def test_a_reader_that_is_gone_is_no_error_worth_a_word(repo, record, project_env):
    for number in range(3):
        record(f"run-{number}")
    for words in ("ls", "ls --json", "show @latest"):
        script = f"{sys.executable} -m gittrack {words} | true"
        done = subprocess.run(["sh", "-c", script], env=project_env, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_survives_a_terminal_that_knows_few_characters(repo, record, gittrack_cli, encoding):
    record("one", {"loss": [1.0, 0.5]})
    done = gittrack_cli("ls", env={"PYTHONIOENCODING": f"{encoding}:strict"})
    assert done.returncode == 0, done.stderr
    curve = "\\u2588\\u2581" if encoding == "latin-1" else "█▁"  # click itself makes UTF-8 of an ASCII stream
    assert done.stdout.endswith(f"loss 0.5 {curve}\n")


class TestPager:
    def pager(self, tmp_path: Path) -> dict[str, str]:
        program = tmp_path / "pager"
        program.write_text(f'#!/bin/sh\necho "paged $LESS"\ncat > {tmp_path / "paged"}\n')
        program.chmod(0o755)
        return {"PAGER": str(program)}

    def test_what_is_longer_than_the_terminal_goes_through_it(self, record, tmp_path, in_terminal):
        record("one")
        shown, code = in_terminal("show", "one", lines=5, env=self.pager(tmp_path))
        assert (shown, code) == ("paged FRX\n", 0)
        assert "Test User" in (tmp_path / "paged").read_text()

    def test_what_fits_does_not(self, record, tmp_path, in_terminal):
        record("one")
        assert "Test User" in in_terminal("show", "one", lines=200, env=self.pager(tmp_path))[0]
        assert not (tmp_path / "paged").exists()

    def test_a_pipe_has_none(self, repo, record, tmp_path, gittrack_cli):
        record("one")
        done = gittrack_cli("show", "one", env={**self.pager(tmp_path), "LINES": "5"})
        assert "Test User" in done.stdout

    @pytest.mark.parametrize("pager", ["", "cat", "no-such-pager-anywhere", "'"])
    def test_without_one_everything_is_printed(self, record, in_terminal, pager):
        record("one")
        shown, code = in_terminal("show", "one", lines=5, env={"PAGER": pager})
        assert code == 0
        assert "Test User" in shown


def test_what_is_no_terminal_has_no_width_and_no_colour(tmp_path):
    with open(tmp_path / "file", "w") as file:
        assert Terminal.of(file, {"TERM": "xterm"}) == Terminal()
    assert Terminal().paint("x", "bad") == "x"
    assert Terminal(colour=True).paint("x", "bad") == "\x1b[31mx\x1b[0m"


@pytest.mark.parametrize("words", [(), ("experiments",)])
def test_without_a_command_the_help_is_shown_as_it_is(gittrack_cli, words):
    done = gittrack_cli(*words)
    said = done.stdout + done.stderr  # older versions of click print it on stdout and end with 0
    assert said.startswith("Usage: gittrack")
    assert "\n\nCommands:\n" in said
    assert "\\n" not in said
    assert done.returncode in (0, 2)


def test_a_variable_that_leads_nowhere_is_named_as_the_cause(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("GITTRACK_REPO", str(tmp_path / "nowhere"))
    answer = cli("ls")
    assert answer.code == 1
    assert answer.err.endswith("nowhere', which GITTRACK_REPO names\nhint: unset GITTRACK_REPO\n")
    assert cli("-C", str(tmp_path), "ls").err.endswith("hint: git init\n")
