"""Printing what may be without end: piece by piece, through the user's pager on a terminal, as it is elsewhere."""

from __future__ import annotations

import codecs
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

import click

from gittrack.cli.terminal import Terminal, print_page
from gittrack.core.names import display
from gittrack.errors import GittrackError

_PART = r"(?>[34]8;5;[0-9]*|[34]8;2;[0-9]*;[0-9]*;[0-9]*|(?!0*8[;m])[0-9]*)"
_COLOUR = rf"\x1b\[(?=[0-9;]{{0,40}}m){_PART}(?:;{_PART})*+m"
"""A colour as git writes it; to conceal (8) is not among them."""
_KEPT = re.compile(rf"(\n|\t|{_COLOUR})")
_PLAIN = re.compile(r"(\n|\t)")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;]{0,40})?\Z")
_CANNOT_RUN = (126, 127)
_FOR_LESS = {"LESS": "FRX", "LV": "-c", "GIT_PAGER_IN_USE": "1"}


def show_stream(
    lines: list[str], pieces: Iterable[bytes], terminal: Terminal, pager: str, environ: Mapping[str, str]
) -> None:
    """Print lines, then bytes that may hold anything.

    Args:
        lines: ours, safe already.
        pieces: as they come; never all in memory.
        terminal: where. Where it is none, the bytes are printed as they are, for programs to read.
        pager: the pager's command on a terminal, as a shell takes it; empty: what could steer a terminal is shown as
            an escape.
        environ: environment variables for the pager.

    Raises:
        GittrackError: the pager cannot be run, or stdout is closed; and what ``pieces`` raises.
    """
    if terminal.width is not None and pager:
        _through(pager, lines, pieces, environ)
        return
    if lines:
        print_page("\n".join(lines))
    for piece in pieces if terminal.width is None else shown_pieces(pieces, colour=terminal.colour):
        _print(piece)


def _print(piece: bytes | str) -> None:
    import sys

    if sys.stdout is None:
        raise GittrackError("cannot write the output: stdout is closed")
    click.echo(piece, nl=False, color=True)


def _through(pager: str, lines: list[str], pieces: Iterable[bytes], environ: Mapping[str, str]) -> None:
    import signal

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the pager
    try:
        # As git does: a pager is a line for the shell, and only ever the user's own.
        process = subprocess.Popen(["sh", "-c", pager], stdin=subprocess.PIPE, env={**_FOR_LESS, **environ})
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # read enough, and left
                process.stdin.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
                for piece in pieces:
                    process.stdin.write(piece)
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            code = process.wait()
    except OSError as error:
        raise GittrackError(
            f"cannot start the pager: {error.strerror}", hint="GIT_PAGER=cat gittrack diff …"
        ) from error
    finally:
        signal.signal(signal.SIGINT, before)
    if code in _CANNOT_RUN:
        raise GittrackError(f"the pager '{display(pager, 80)}' cannot be run", hint="GIT_PAGER=cat gittrack diff …")


def shown_pieces(pieces: Iterable[bytes], *, colour: bool) -> Iterator[str]:
    """Bytes as text that may be printed on a terminal: line feeds and tabs stay, and colours where they are wanted.

    Args:
        pieces: as they come; characters and colours may be cut anywhere.
        colour: whether colours stay.

    >>> "".join(shown_pieces([b"+caf\\xc3", b"\\xa9\\x1b]0;title\\x07\\n"], colour=True))
    '+café\\\\x1b]0;title\\\\x07\\n'
    """
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    kept, held = (_KEPT if colour else _PLAIN), ""
    for piece in pieces:
        text = held + decoder.decode(piece)
        cut = _UNFINISHED.search(text)
        held = text[cut.start() :] if cut else ""
        yield _shown(text[: len(text) - len(held)], kept)
    yield _shown(held + decoder.decode(b"", final=True), kept)


def _shown(text: str, kept: re.Pattern[str]) -> str:
    # Every second part is what the pattern matched.
    return "".join(part if number % 2 else display(part) for number, part in enumerate(kept.split(text)))
