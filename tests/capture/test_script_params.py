from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.capture.script_params import params_from_argv


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("train.py --lr 0.1 --epochs=5", {"lr": 0.1, "epochs": 5}),
        ("--lr 0.1", {"lr": 0.1}),
        ("python -u train.py --lr 0.1", {"lr": 0.1}),
        ("python -m pkg.train --lr 0.1", {"lr": 0.1}),
        ("torchrun --nproc_per_node 4 train.py --lr 0.1", {"lr": 0.1}),
        ("python -c print(1) --lr 0.1", {"lr": 0.1}),
        ("train.py --no-cuda --amp", {"no_cuda": True, "amp": True}),
        ("train.py -e 5 -b32 -v", {"e": 5, "b": 32, "v": True}),
        ("train.py lr=0.1 model.name=vit +trainer.fast=true ++seed=1", None),
        ("train.py --shift -0.5 --scale -1e-3", {"shift": -0.5, "scale": -0.001}),
        ("train.py --layers 64 32 16 --name x", {"layers": [64, 32, 16], "name": "x"}),
        ("train.py --tag a --tag b", {"tag": ["a", "b"]}),
        ("train.py data.csv --lr 1 more.csv", {"lr": 1}),
        ("train.py --zip 00501 --big 1e999 --nan nan", {"zip": "00501", "big": "1e999", "nan": "nan"}),
        ("train.py --on True --off false", {"on": True, "off": False}),
        ("train.py --lr 1 -- --not-mine 3", {"lr": 1}),
        ("train.py --password hunter2 --token=hunter2 HF_TOKEN=hunter2 --lr 1", {"lr": 1}),
        ("train.py --db https://me:hunter2@h/x", {"db": "https://h/x"}),
        ("train.py --max-tokens 512 --pad-token <pad>", {"max_tokens": 512, "pad_token": "<pad>"}),
        ("train.py", {}),
        ("python", {}),
        ("", {}),
    ],
)
def test_a_command_line_states_its_params(command: str, expected: dict[str, object] | None) -> None:
    if expected is None:
        expected = {"lr": 0.1, "model.name": "vit", "trainer.fast": True, "seed": 1}
    found = params_from_argv(command.split())
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


def test_a_token_given_to_an_innocent_option_is_left_out() -> None:
    token = "ghp_" + "a1B2c3D4e5" * 4
    assert params_from_argv(["train.py", "--remote", token, "--lr", "1"]) == {"lr": 1}


def test_a_value_with_spaces_or_an_empty_one_stays_whole() -> None:
    found = params_from_argv(["train.py", "--note", "two words", "--prefix=", "--suffix", ""])
    assert found == {"note": "two words", "prefix": "", "suffix": ""}


ODD_WORDS = st.sampled_from(["--a", "-b", "c=1", "--", "-", "--=", "1" * 5000])


@given(st.lists(st.text(max_size=20) | ODD_WORDS, max_size=10))
def test_any_words_give_names_and_plain_values(words: list[str]) -> None:
    for name, value in params_from_argv(["train.py", *words]).items():
        assert name
        assert not name.startswith("-")
        for item in value if isinstance(value, list) else [value]:
            assert isinstance(item, int | float | bool | str)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63))
def test_numbers_keep_their_value(real: float, whole: int) -> None:
    assert params_from_argv(["t.py", f"--x={real!r}", "--n", str(whole)]) == {"x": real, "n": whole}
