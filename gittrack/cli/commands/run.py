"""``gittrack run``."""

from __future__ import annotations

from pathlib import Path

import click

from gittrack.cli.session import Session
from gittrack.cli.terminal import say

PAIR_EXAMPLE = "gittrack run -p lr=0.1 --tag stage=dev -- python train.py"


class _WithLive(click.Command):
    """A command whose ``--live`` takes a time only by ``--live=TIME``: the next word is the program."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words, as ever."""
        takes_word = {name for option in self.params if _takes_word(option) for name in option.opts}
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] != "--":
            if args[place] == "--live":
                args = [*args[:place], "--live=true", *args[place + 1 :]]
            place += 2 if args[place] in takes_word else 1
        return super().parse_args(ctx, args)


def _takes_word(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and not option.is_flag and option.name != "live"


@click.command("run", cls=_WithLive, context_settings={"allow_interspersed_args": False})
@click.option("-e", "--experiment", metavar="EXP", help="The experiment it belongs to.")
@click.option("-n", "--name", metavar="NAME", help="Its name; made up when not given.")
@click.option("-p", "--param", "params", metavar="KEY=VALUE", multiple=True, help="A parameter; wins over all others.")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="A tag.")
@click.option(
    "--params",
    "files",
    metavar="FILE",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A TOML, YAML or JSON file of parameters; of pyproject.toml the table [tool.gittrack.params].",
)
@click.option("--note", metavar="TEXT", help="Its note.")
@click.option("--parent", metavar="RUN", help="The run it is a child of.")
@click.option(
    "--system-metrics/--no-system-metrics",
    default=None,
    help="Sample CPU, memory, disk, network and GPU while it runs.",
)
@click.option(
    "--live",
    metavar="[=TIME]",
    help="Push checkpoints while it runs, for others to see: --live every 30 s, --live=2m. Its code goes with it.",
)
@click.argument("words", metavar="COMMAND [ARGS]…", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(
    context: click.Context,
    experiment: str | None,
    name: str | None,
    params: tuple[str, ...],
    tags: tuple[str, ...],
    files: tuple[Path, ...],
    note: str | None,
    parent: str | None,
    system_metrics: bool | None,
    live: str | None,
    words: tuple[str, ...],
) -> None:
    """Run a command and record it as a run.

    Output goes to the terminal as ever and into the run; the exit code is the command's. Parameters on the command
    line of the script (--lr 0.1, lr=0.1) are recorded. If the script calls gittrack.start_run(), it joins this run.
    Ctrl-C ends the command and the run, as killed, unless the command takes it for a wish to stop early and ends
    with 0.

    A value is what it is written as, after -p and on the script's command line: 3 is a whole number, 0.1 and 1e-3 are
    numbers, true and false are truths; anything else is a text, such as adam, 007, nan, [1,2] and None.

    \b
    gittrack run -e digits -- python train.py --lr 0.1
    gittrack run --params params.yaml -p seed=3 -- ./train.sh
    """
    from gittrack.api.command_run import CommandRequest, run_command
    from gittrack.api.farewell import ended_lines
    from gittrack.api.read import find_run_id
    from gittrack.cli.arguments import parse_pairs
    from gittrack.config import live_seconds
    from gittrack.core.text_values import typed_text

    session: Session = context.obj
    pairs = parse_pairs(params, PAIR_EXAMPLE)
    project = session.project()
    given = {key: _without_secret(key, typed_text(value)) for key, value in pairs.items()}
    request = CommandRequest(
        command=words,
        name=name,
        experiment=experiment,
        params=given,
        params_files=files,
        tags=parse_pairs(tags, PAIR_EXAMPLE),
        note=note,
        parent=None if parent is None else find_run_id(project, parent),
        system_metrics=system_metrics,
        live=None if live is None else live_seconds("--live", live),
    )
    result = run_command(project, request)
    if result.run is not None and not project.config.quiet:
        try:
            errors = (result.run.file("logs/errors.log") or b"").count(b"\n")
            lines = ended_lines(result.run, project.config.headline, errors)
            click.echo("gittrack: " + "\n".join(lines), err=True)
        except OSError:
            pass  # nobody can be told; the run is kept, and the exit code is the command's
    context.exit(result.exit_code)


def _without_secret(key: str, value: object) -> object:
    """The value as it is kept; that it holds a secret is said with the words that were typed."""
    from gittrack.api.kept import without_secret

    kept: object = without_secret(key, value)
    if kept != value:
        say(f"warning: -p {key} holds a secret and is kept without it", role="warning")
    return kept
