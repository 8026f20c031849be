"""``gittrack lineage`` and ``gittrack whence``: trees, graphs, JSON, exit codes, and names that would mislead."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import gittrack

from .conftest import settled


@pytest.fixture
def story(repo: Path) -> None:
    (repo / "raw.csv").write_bytes(b"raw data")
    with gittrack.start_run(name="train", strict=True) as run:
        run.log_input("raw.csv", role="train")
        run.log_text("weights", "model.txt")
        for number in range(9):
            run.log_text(f"log {number}", f"log{number}.txt")
    with gittrack.start_run(name="evaluate", strict=True) as run:
        run.use_artifact("train:model.txt", role="model")
        run.log_text("good", "report.md")


TREE = """\
run train (<short>) finished
came of
└─ data raw.csv  md5:<commit>  train
led to
├─ artifact model.txt of <short>  md5:<commit>
│  └─ run evaluate (<short>) finished  model
│     └─ artifact report.md of <short>  md5:<commit>
├─ artifact log0.txt of <short>  md5:<commit>
├─ artifact log1.txt of <short>  md5:<commit>
├─ artifact log2.txt of <short>  md5:<commit>
├─ artifact log3.txt of <short>  md5:<commit>
├─ artifact log4.txt of <short>  md5:<commit>
└─ 4 artifacts more that no run used
"""


@pytest.mark.usefixtures("story")
def test_a_lineage_is_two_trees(cli):
    answer = cli("lineage", "train")
    assert (answer.code, settled(answer.out)) == (0, TREE)
    assert settled(cli("lineage", "train", "--up").out) == TREE.partition("led to")[0]
    assert cli("lineage", "train", "--up", "--down").out == answer.out
    near = cli("lineage", "train", "--down", "--depth", "1").out
    assert "evaluate" not in near
    assert "came of: nothing known" in cli("lineage", "raw.csv").out


@pytest.mark.usefixtures("story")
def test_a_lineage_as_json_holds_nodes_and_edges(cli):
    answer = json.loads(cli("lineage", "evaluate", "--json", "--up").out)
    nodes = {node["id"]: node for node in answer["lineage"]["nodes"]}
    assert answer["lineage"]["roots"][0].startswith("run:")
    assert {node["kind"] for node in nodes.values()} == {"data", "run", "artifact"}
    assert all(edge["source"] in nodes and edge["target"] in nodes for edge in answer["lineage"]["edges"])
    assert answer["problems"] == []


@pytest.mark.usefixtures("story")
def test_a_lineage_can_be_drawn(cli):
    assert cli("lineage", "train", "--dot").out.startswith("digraph lineage {\n")
    assert cli("lineage", "train", "--mermaid").out.startswith("flowchart LR\n")
    answer = cli("lineage", "train", "--dot", "--json")
    assert (answer.code, answer.out) == (2, "")


def test_what_is_used_twice_is_followed_once(cli, story):
    with gittrack.start_run(name="again", strict=True) as run:
        run.use_artifact("train:model.txt")
        run.use_artifact("evaluate:report.md")
    out = cli("lineage", "again", "--up").out
    assert out.count("(see above)") == 1
    assert out.count("raw.csv") == 1


def test_a_name_that_would_mislead_a_terminal_is_shown_as_it_is(cli, repo):
    evil = "x\x1b[31m\u202egnp\n"
    (repo / evil).write_text("evil")
    with gittrack.start_run(name="victim") as run:
        run.log_input(evil, role="\x1b]0;title\x07")
    for words in (("lineage", "victim"), ("whence", evil), ("lineage", "victim", "--dot"), ("lineage", evil)):
        answer = cli(*words)
        assert answer.code == 0
        assert not {"\x1b", "\x07", "\u202e"} & set(answer.out + answer.err)


@pytest.mark.usefixtures("story")
def test_whence_names_who_made_and_who_read_a_file(cli, repo):
    (repo / "found").write_text("weights")
    answer = cli("whence", "found")
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert [line[:2] for line in lines] == [["RUN", "NAME"], ["made", "train"], ["read", "evaluate"]]
    assert "model.txt" in lines[1]
    assert "next: gittrack lineage" in answer.err
    shape = json.loads(cli("whence", "found", "--json").out)["whence"]
    assert [made["name"] for made in shape["made"]] == ["train"]
    assert [read["input"]["role"] for read in shape["read"]] == ["model"]


@pytest.mark.usefixtures("story")
def test_whence_leads_to_the_run_that_made_a_file_first(cli, repo):
    with gittrack.start_run(name="again", strict=True) as run:
        run.log_text("weights", "copy.txt")
    (repo / "found").write_text("weights")
    first = gittrack.get_run("train").id
    assert cli("whence", "found").err.endswith(f"next: gittrack lineage {first[:8]}\n")


def test_whence_does_not_deny_what_it_could_not_look_into(cli, repo):
    folder = repo / "digits"
    folder.mkdir()
    (folder / "x.npy").write_bytes(b"x" * 1000)
    with gittrack.start_run(name="reader", strict=True) as run:
        run.log_input(folder, role="train")
    shutil.rmtree(repo / ".git" / "gittrack" / "known-data", ignore_errors=True)
    answer = cli("whence", "digits/x.npy")
    assert answer.code == 3
    assert "1 folder that runs read could not be looked into" in answer.err
    assert "no run made or read" not in answer.err
    assert "hint: gittrack whence digits\n" in answer.err
    assert cli("whence", "digits").code == 0


@pytest.mark.usefixtures("story")
def test_a_file_that_no_run_knows_has_exit_code_3(cli):
    answer = cli("whence", "train.py")
    assert (answer.code, answer.out) == (3, "")
    assert "no run made or read 'train.py'" in answer.err
    as_json = cli("whence", "train.py", "--json")
    assert as_json.code == 3
    assert json.loads(as_json.out)["whence"]["made"] == []
    assert cli("whence", "nowhere").code == 3
    assert cli("lineage", "nowhere").code == 3


def test_it_is_cut_to_the_terminal_by_nothing_but_the_pager(in_terminal, story):
    shown, code = in_terminal("whence", "raw.csv")
    assert code == 0
    assert "train" in shown


def test_a_hash_is_looked_for_inside_folders_too(cli, repo, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"w" * 100_000)
    with gittrack.start_run(name="maker", strict=True) as run:
        run.log_artifact(folder)
    digest = hashlib.md5(b"w" * 100_000).hexdigest()
    answer = cli("lineage", digest, "--up")
    assert answer.code == 0, answer.err
    assert "artifact model/weights.bin of " in answer.out
    assert "run maker" in answer.out
    assert cli("lineage", digest[:-1] + ("0" if digest[-1] != "0" else "1")).code == 3
