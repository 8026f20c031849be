from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from gittrack.capture.seeds import set_seeds
from gittrack.errors import InvalidValueError

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_seed_gives_the_same_numbers() -> None:
    seeded = set_seeds(42)
    first = (random.random(), numpy.random.random())
    assert set_seeds(42) == seeded
    assert (random.random(), numpy.random.random()) == first
    assert seeded["python"] == seeded["numpy"] == 42


def test_a_library_that_is_not_loaded_is_neither_loaded_nor_claimed() -> None:
    program = "import sys; from gittrack.capture.seeds import set_seeds; print(set_seeds(7), 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["{'python':", "7}", "False"]


def test_torch_and_tensorflow_are_seeded_by_their_own_function(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("def manual_seed(seed):\n    print('torch', seed)\n")
    (tmp_path / "tensorflow.py").write_text(
        "class random:\n    @staticmethod\n    def set_seed(seed):\n        print('tensorflow', seed)\n"
    )
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import torch, tensorflow\n"
        "from gittrack.capture.seeds import set_seeds; print(sorted(set_seeds(7)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["torch 7", "tensorflow 7", "['python', 'tensorflow', 'torch']"]


@pytest.mark.parametrize("seed", [-1, 2**32, True, 1.0, "7", None])
def test_what_some_library_would_refuse_is_refused_before_any_is_seeded(seed: object) -> None:
    random.seed(1)
    state = random.getstate()
    with pytest.raises(InvalidValueError, match="is not a seed"):
        set_seeds(seed)  # type: ignore[arg-type]
    assert random.getstate() == state


def test_an_integer_of_numpy_is_a_seed() -> None:
    assert set_seeds(numpy.int64(3))["python"] == 3  # type: ignore[arg-type]
