"""``gittrack completion``."""

from __future__ import annotations

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import print_data, say
from gittrack.errors import UsageError

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="bash|zsh|fish")
@click.option("--answer", "asking", type=click.Choice(_SHELLS), hidden=True, help="Say what could follow.")
@click.pass_obj
def command(session: Session, words: tuple[str, ...], asking: str | None) -> None:
    """Print what makes a shell complete gittrack, and `git track` too.

    \b
    eval "$(gittrack completion bash)"        in ~/.bashrc
    eval "$(gittrack completion zsh)"         in ~/.zshrc, below compinit
    gittrack completion fish > ~/.config/fish/completions/gittrack.fish

    Commands and options are completed, and names of runs, experiments, metrics, params, tags, views and artifacts, also
    within queries.
    """
    if asking is not None:
        _answer(asking, words)
        return
    if len(words) != 1:
        raise UsageError("one shell is to be named", hint="gittrack completion bash")
    shell = words[0]
    if shell not in _SHELLS:
        raise UsageError(f"there is no completion for '{shell[:40]}'", hint="gittrack completion bash, or zsh, or fish")
    from gittrack.cli.completion_scripts import INSTALL, SCRIPTS

    print_data(SCRIPTS[shell], end="")  # type: ignore[index]
    if session.stdout.width is not None:
        say(f"to have it in every new {shell}: {INSTALL[shell]}")  # type: ignore[index]


def _answer(shell: str, words: tuple[str, ...]) -> None:
    """Print what could follow. Somebody is typing: nothing at all is better than an error between their words."""
    try:
        lines = _lines(shell, words)
    except Exception:  # noqa: BLE001  whatever it is: the shell asks again at the next key
        lines = []
    if lines:
        print_data("\n".join(lines))


def _lines(shell: str, words: tuple[str, ...]) -> list[str]:
    from gittrack.cli.completion import offer
    from gittrack.cli.completion_scripts import after_program, bash_lines, described_lines, read_line

    if shell == "bash":
        breaks, line = words
        typed = read_line(line)
        # A text within a query is quoted by the kind of quotes that does not end the word of the shell.
        quote = {'"': "'", "'": '"'}.get(typed.quote, "")
        return bash_lines(typed, breaks, offer(after_program(typed.before), typed.word, quote))
    *before, beginning = words
    word = read_line(beginning).word if shell == "fish" else beginning
    return described_lines(offer(after_program(before), word))
