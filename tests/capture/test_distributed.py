from __future__ import annotations

import pytest

from gittrack.capture.distributed import is_primary, rank


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 0),
        ({"RANK": "3", "WORLD_SIZE": "8"}, 3),
        ({"RANK": "8", "LOCAL_RANK": "0", "WORLD_SIZE": "16"}, 8),
        ({"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}, 0),
        ({"RANK": "8"}, 0),  # a LoRA rank, no launcher around
        ({"RANK": "0", "WORLD_SIZE": "4", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, 0),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, 1),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "1"}, 0),
        ({"SLURM_PROCID": "1"}, 0),
        ({"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "1"}, 2),
        ({"OMPI_COMM_WORLD_RANK": "5"}, 5),
        ({"PMI_RANK": "2"}, 2),
        ({"LOCAL_RANK": "1"}, 1),
        ({"LOCAL_RANK": "1", "NODE_RANK": "2", "LOCAL_WORLD_SIZE": "4"}, 9),
        ({"LOCAL_RANK": "junk", "NODE_RANK": "-1"}, 0),
    ],
)
def test_rank_is_that_of_the_whole_job(environ: dict[str, str], expected: int) -> None:
    assert rank(environ) == expected
    assert is_primary(environ) == (expected == 0)


def test_the_first_process_of_a_second_node_is_not_primary_even_without_a_global_rank() -> None:
    assert not is_primary({"LOCAL_RANK": "0", "NODE_RANK": "1"})
