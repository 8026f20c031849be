"""The graph of what made what: from any node, in both directions, whatever runs claim."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core.ids import RunId
from gittrack.core.lineage import Edge, Graph, RunFacts, artifact_node, data_node, run_node
from gittrack.core.lineage_text import dot_text, mermaid_text, short_digest
from gittrack.core.records import ArtifactEntry, Input


def md5(digit: str) -> str:
    return "md5:" + digit * 32


def id_of(number: int) -> RunId:
    return RunId(f"{number:032x}")


def run(number: int, inputs=(), artifacts=(), name="") -> RunFacts:
    """A run that began at ``number``; inputs are digests or Inputs, artifacts (path, digest)."""
    items = [
        item if isinstance(item, Input) else Input(f"d{item[-1]}", "train", f"d{item[-1]}", item) for item in inputs
    ]
    entries = [ArtifactEntry(path, 1, digest, "") for path, digest in artifacts]
    return RunFacts(id_of(number), name or f"run-{number}", "finished", number, items, entries)


def use(number: int, path: str, digest: str = "") -> Input:
    return Input(path, "model", f"run:{id_of(number)}/{path}", digest, "run")


def labels(lineage) -> set[str]:
    return {node.label for node in lineage.nodes.values()}


CHAIN = [
    run(1, [md5("a")], [("model.bin", md5("b")), ("log.txt", md5("c"))]),
    run(2, [use(1, "model.bin", md5("b"))], [("tuned.bin", md5("d"))]),
    run(3, [md5("d")], [("report.md", md5("e"))]),  # read as a plain file, the same bytes
    run(4, [md5("f")]),
]


def test_a_run_came_of_its_data_and_of_the_runs_whose_artifacts_it_used():
    found = Graph(CHAIN).select([run_node(id_of(3))], up=True, down=False)
    assert labels(found) == {"run-3", "dd", "tuned.bin", "run-2", "model.bin", "run-1", "da"}
    assert found.roots == (run_node(id_of(3)),)


def test_data_led_to_all_that_was_made_of_it():
    found = Graph(CHAIN).select([data_node(md5("a"))], up=False, down=True)
    assert labels(found) == {
        *("da", "run-1", "model.bin", "log.txt", "run-2", "tuned.bin", "dd", "run-3", "report.md"),
    }


def test_the_middle_has_both_directions_and_a_depth_cuts_both():
    graph = Graph(CHAIN)
    assert "report.md" in labels(graph.select([run_node(id_of(2))], up=True, down=True))
    near = graph.select([run_node(id_of(2))], up=True, down=True, depth=1)
    assert labels(near) == {"run-2", "model.bin", "tuned.bin"}
    assert {(edge.source, edge.target) for edge in near.edges} == {
        (artifact_node(id_of(1), "model.bin"), run_node(id_of(2))),
        (run_node(id_of(2)), artifact_node(id_of(2), "tuned.bin")),
    }


def test_who_read_bytes_before_a_run_made_them_did_not_get_them_from_it():
    runs = [run(1, [md5("a")]), run(2, [], [("a", md5("a"))]), run(3, [md5("a")])]
    graph = Graph(runs)
    assert labels(graph.select([run_node(id_of(1))], up=True, down=False)) == {"run-1", "da"}
    assert "run-2" in labels(graph.select([run_node(id_of(3))], up=True, down=False))
    down = labels(graph.select([run_node(id_of(2))], up=False, down=True))
    assert "run-3" in down
    assert "run-1" not in down


def test_a_run_that_logs_what_it_read_did_not_make_it():
    runs = [run(1, [md5("a")], [("copy", md5("a"))]), run(2, [md5("a")])]
    graph = Graph(runs)
    assert labels(graph.select([run_node(id_of(2))], up=True, down=False)) == {"run-2", "da"}
    assert labels(graph.select([run_node(id_of(1))], up=False, down=True)) == {"run-1", "copy"}


def test_data_that_was_modified_or_absent_made_nothing():
    tracked = [
        Input("a", "project", "a", md5("a"), ".dvc", state="modified"),
        Input("a", "project", "a", md5("b"), "computed", state="verified"),
        Input("c", "project", "c", md5("c"), ".dvc", state="missing"),
    ]
    found = Graph([run(1, tracked)]).select([run_node(id_of(1))], up=True, down=False)
    assert set(found.nodes) == {run_node(id_of(1)), data_node(md5("b"))}


def test_what_a_run_names_itself_takes_the_place_of_what_its_project_had():
    items = [Input("a", "project", "a", md5("a"), ".dvc"), Input("x", "train", "a", md5("a"), ".dvc")]
    found = Graph([run(1, items)]).select([run_node(id_of(1))], up=True, down=False)
    assert [edge.role for edge in found.edges] == ["train"]


def test_empty_files_and_versions_of_different_tables_connect_nothing():
    empty = "md5:d41d8cd98f00b204e9800998ecf8427e"
    runs = [
        run(1, [], [("empty", empty)]),
        run(2, [Input("e", "", "other-empty", empty), Input("t", "", "delta://one", "version:1", "given")]),
        run(3, [Input("t", "", "delta://two", "version:1", "given"), Input("m", "", "memory:Table")]),
        run(4, [Input("m", "", "memory:Table")]),
    ]
    graph = Graph(runs)
    for number in (2, 3, 4):
        found = graph.select([run_node(id_of(number))], up=True, down=False)
        assert sum(node.kind == "run" for node in found.nodes.values()) == 1
        for node in list(found.nodes):
            if node.startswith("data:"):
                below = graph.select([node], up=True, down=True)
                assert {each.run for each in below.nodes.values() if each.kind == "run"} == {id_of(number)}


def test_a_run_that_is_not_here_is_a_node_by_its_id():
    found = Graph([run(2, [use(1, "model.bin", md5("b"))])]).select([run_node(id_of(2))], up=True, down=False)
    gone = found.nodes[run_node(id_of(1))]
    assert (gone.status, gone.label) == ("", id_of(1)[:8])
    assert found.nodes[artifact_node(id_of(1), "model.bin")].digest == md5("b")


def test_runs_that_claim_to_have_used_each_other_end():
    runs = [run(1, [use(2, "b")], [("a", md5("a"))]), run(2, [use(1, "a")], [("b", md5("b"))])]
    found = Graph(runs).select([run_node(id_of(1))], up=True, down=True)
    assert labels(found) >= {"run-1", "run-2"}


def test_a_long_chain_takes_no_recursion():
    runs = [run(1)] + [run(n, [use(n - 1, "m")], [("m", f"md5:{n:032x}")]) for n in range(2, 5000)]
    found = Graph(runs).select([run_node(id_of(4999))], up=True, down=False)
    assert run_node(id_of(1)) in found.nodes


def test_links_lead_from_a_file_to_the_folder_that_holds_it():
    folder = md5("f") + ".dir"
    link = Edge(data_node(md5("a")), data_node(folder), "in")
    found = Graph([run(1, [folder])], [link], {data_node(md5("a")): "x.csv"}).select(
        [data_node(md5("a"))], up=True, down=True
    )
    assert labels(found) == {"x.csv", f"d{folder[-1]}", "run-1"}


texts = st.text(max_size=20)
inputs = st.builds(
    Input,
    texts,
    texts,
    texts,
    st.sampled_from([md5("a"), md5("b"), "", "x", "version:1"]),
    st.sampled_from(["run", ""]),
)
artifacts = st.builds(ArtifactEntry, texts.filter(bool), st.just(1), st.sampled_from([md5("a"), md5("b")]), st.just(""))


@given(
    st.lists(
        st.builds(
            RunFacts,
            st.integers(0, 9).map(id_of),
            texts,
            texts,
            st.integers(0, 9),
            st.lists(inputs, max_size=4),
            st.lists(artifacts, max_size=4),
        ),
        max_size=6,
        unique_by=lambda each: each.id,
    ),
    st.integers(0, 9),
)
def test_whatever_runs_claim_the_graph_is_whole_and_can_be_drawn(runs, number):
    found = Graph(runs).select([run_node(id_of(number)), data_node(md5("a"))], up=True, down=True)
    assert {end for edge in found.edges for end in (edge.source, edge.target)} <= set(found.nodes)
    assert len(dot_text(found).splitlines()) == 3 + len(found.nodes) + len(found.edges)
    assert len(mermaid_text(found).splitlines()) == 1 + len(found.nodes) + len(found.edges)


NASTY = [
    '"]; system("id"); ["',
    "a\\",
    "\\N\\G",
    "a\nb",
    "<b>x</b>",
    "x\x1b[31m",
    '"]\n  evil --> n0',
    "`;%%{init}%%",
    "#quot;",
]


@pytest.mark.parametrize("name", NASTY)
def test_no_name_leaves_its_label(name):
    item = Input(name, name, name, md5("a"))
    found = Graph([RunFacts(id_of(1), name, "finished", 1, [item])]).select([run_node(id_of(1))], up=True, down=False)
    for line in dot_text(found).splitlines()[2:-1]:
        assert re.fullmatch(
            r'  n\d \[shape=\w+, label="(?:[^"\\]|\\["\\n])*"(?:, penwidth=2)?\];', line
        ) or re.fullmatch(r'  n\d -> n\d(?: \[label="(?:[^"\\]|\\["\\])*"\])?;', line)
    for line in mermaid_text(found).splitlines()[1:]:
        bare = line.replace("<br/>", "")
        assert re.fullmatch(r'  n\d(?:\[\(?|\(\[)"[^"<>\[\]`]*"(?:\)?\]|\]\))', bare) or re.fullmatch(
            r'  n\d -->(?:\|"[^"<>\[\]`|]*"\|)? n\d', bare
        )


def test_digests_are_cut_where_people_can_still_tell_them_apart():
    assert short_digest(md5("a") + ".dir") == "md5:aaaaaaaaaaaa.dir"
    assert short_digest("version:2024-01-01") == "version:2024-01-01"
