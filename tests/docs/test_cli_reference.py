"""The command reference and the man pages are what the commands say, and show every part of a command."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "make_docs.py"


@pytest.fixture(scope="module")
def make_docs():
    spec = importlib.util.spec_from_file_location("gittrack_make_docs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def sample() -> click.Group:
    @click.group()
    @click.option("--version", is_flag=True, help="Show the version.")
    def cli(version):
        """Track things.

        A second paragraph
        over two lines.
        """

    @cli.command()
    @click.argument("run")
    @click.argument("pairs", nargs=-1)
    @click.option("-e", "--experiment", metavar="EXP", help="Only this one.", required=True)
    @click.option("--tag", "-t", multiple=True, help="A tag.")
    @click.option("--format", type=click.Choice(["a", "b"]), help="How.")
    @click.option("--color/--no-color", help="Colours.")
    @click.option("--secret", hidden=True)
    def show(run, pairs, experiment, tag, format, color, secret):
        """Show a run. It is shown.

        \b
        gittrack show .x
          indented
        """

    @cli.command(hidden=True)
    def concealed():
        """Not for people."""

    @cli.group()
    def experiments():
        """Experiments."""

    @experiments.command("ls")
    @click.option("-n", type=int, help="How many.")
    def list_experiments(n):
        """List experiments."""

    return cli


def test_the_reference_and_the_man_pages_are_current():
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_has_a_section_and_hidden_ones_have_none(make_docs, sample):
    text = make_docs.render_markdown(make_docs.read_page(sample, "gittrack"))
    sections = [line for line in text.splitlines() if line.startswith("## ")]
    assert sections == [f"## `gittrack{rest}`" for rest in ("", " experiments", " experiments ls", " show")]
    assert "[`gittrack experiments ls`](#gittrack-experiments-ls) | List experiments |" in text
    assert "concealed" not in text


def test_every_option_is_shown_with_its_spellings_and_hidden_ones_are_not(make_docs, sample):
    text = make_docs.render_markdown(make_docs.read_page(sample, "gittrack"))
    for row in (
        "| `-e, --experiment EXP` | Only this one. (required) |",
        "| `-t, --tag TEXT` | A tag. (may be repeated) |",
        "| `--format [a\\|b]` | How. |",
        "| `--color / --no-color` | Colours. |",
        "| `-n INTEGER` | How many. |",
        "| `--version` | Show the version. |",
    ):
        assert row in text
    assert "--secret" not in text


def test_usage_shows_arguments_and_literal_blocks_keep_their_lines(make_docs, sample):
    page = make_docs.read_page(sample, "gittrack")
    show = next(each for each in make_docs.walk(page) if each.path == "gittrack show")
    assert show.usage == "[OPTIONS] RUN [PAIRS…]"
    assert show.paragraphs == ("Show a run. It is shown.", "\tgittrack show .x\n  indented")
    assert "```text\ngittrack show .x\n  indented\n```" in make_docs.render_markdown(page)
    assert page.paragraphs == ("Track things.", "A second paragraph over two lines.")


def test_text_cannot_become_a_request_of_roff(make_docs):
    assert make_docs._roff(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert make_docs._roff("'x a-b \\n") == "\\&\\(aqx a\\-b \\en"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_is_sound_roff(make_docs, sample):
    page = make_docs.render_man(make_docs.read_page(sample, "gittrack"), "1.0")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.stderr == ""
    assert "experiments ls" in re.sub(".\b", "", done.stdout)  # bold is a letter, a backspace, the letter again


def test_git_track_is_the_same_page(make_docs, sample):
    files = make_docs.render_all(make_docs.read_page(sample, "gittrack"), "1.0")
    assert files["man/git-track.1"] == ".so man1/gittrack.1\n"
    assert set(files) == {"docs/cli.md", "man/gittrack.1", "man/git-track.1"}


def test_check_names_a_file_that_differs_and_leaves_it(make_docs, tmp_path):
    files = {"docs/a.md": "new\n", "man/b.1": "b\n"}
    assert make_docs.bring_up_to_date(files, tmp_path, check=True) == ["docs/a.md", "man/b.1"]
    assert list(tmp_path.iterdir()) == []
    assert make_docs.bring_up_to_date(files, tmp_path, check=False) == ["docs/a.md", "man/b.1"]
    (tmp_path / "docs" / "a.md").write_text("old\n")
    assert make_docs.bring_up_to_date(files, tmp_path, check=True) == ["docs/a.md"]
    assert (tmp_path / "docs" / "a.md").read_text() == "old\n"
