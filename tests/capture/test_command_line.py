from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.capture.command_line import split_command


@pytest.mark.parametrize(
    ("command", "kind", "target", "arguments"),
    [
        ("python train.py --lr 1", "script", "train.py", "--lr 1"),
        ("/usr/bin/python3.12 -u -X dev -W error train.py a", "script", "train.py", "a"),
        ("python -Xdev -Werror -O train.py", "script", "train.py", ""),
        ("python --check-hash-based-pycs always train.py", "script", "train.py", ""),
        ("python -m pkg.train --lr 1", "module", "pkg.train", "--lr 1"),
        ("python -um pkg.train", "module", "pkg.train", ""),
        ("python -mpkg.train", "module", "pkg.train", ""),
        ("python -c print(1) a", "code", "print(1)", "a"),
        ("python -Ic print(1)", "code", "print(1)", ""),
        ("python - a", "stdin", "", "a"),
        ("python", "interactive", "", ""),
        ("python -i", "interactive", "", ""),
        ("python -m", "module", "", ""),
        ("pypy3 train.py", "script", "train.py", ""),
        ("python3.13t train.py", "script", "train.py", ""),
        ("C:\\Python\\python.exe train.py", "script", "train.py", ""),
        ("uv run --with torch python -m pkg.train -e 5", "module", "pkg.train", "-e 5"),
        ("torchrun --nproc_per_node 4 train.py --lr 1", "script", "train.py", "--lr 1"),
        ("python -m torch.distributed.run --nproc_per_node 4 train.py --lr 1", "script", "train.py", "--lr 1"),
        ("python -m cProfile -o out.prof train.py", "script", "train.py", ""),
        ("env A=1 nice -n 5 python train.py", "script", "train.py", ""),
        ("bash jobs/run.sh fast", "script", "jobs/run.sh", "fast"),
        ("./train.py --lr 1", "script", "./train.py", "--lr 1"),
        ("make train", "program", "make", "train"),
        ("mytool --config conf.py", "program", "mytool", "--config conf.py"),
        ("uv sync", "program", "uv", "sync"),
        ("", "interactive", "", ""),
        ("- a", "stdin", "", "a"),
        ("-c a", "code", "", "a"),
    ],
)
def test_what_runs_is_found_in_the_command(command: str, kind: str, target: str, arguments: str) -> None:
    found = split_command(command.split())
    assert (found.kind, found.target, found.arguments) == (kind, target, tuple(arguments.split()))


@given(st.lists(st.text(max_size=12) | st.sampled_from(["python", "-m", "-c", "-", "uv", "a.py", "-X"]), max_size=8))
def test_any_words_can_be_split(words: list[str]) -> None:
    found = split_command(words)
    assert list(found.arguments) == words[len(words) - len(found.arguments) :]
