"""What ``gittrack show`` and ``gittrack lineage`` say of the models of a run."""

from __future__ import annotations

import json

import pytest

import gittrack
from gittrack.cli.main import main

from .conftest import library, logged

pytestmark = pytest.mark.usefixtures("repo", "no_mlflow")


@pytest.fixture
def printed(capfd):
    """``printed("ls")``: what a command prints when it succeeds."""

    def call(*words: str) -> str:
        capfd.readouterr()
        assert main(words) == 0
        return capfd.readouterr().out

    return call


@pytest.fixture
def run(table) -> gittrack.SavedRun:
    linear = library("sklearn.linear_model")
    model = linear.LinearRegression().fit(*table)
    return logged((model, "churn"), (model, "churn"), registered_model_name="shop")


def test_the_page_lists_the_models_of_a_run(run, printed):
    page = printed("show", run.id)
    lines = page.partition("\nmodels\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "KIND", "STATUS", "ARTIFACT", "REGISTER", "AS"],
        ["churn", "sklearn,", "gittrack", "ready", "models/churn", "shop"],
        ["churn", "sklearn,", "gittrack", "ready", "models/churn.2", "shop"],
    ]
    models = json.loads(printed("show", run.id, "--json"))["run"]["models"]
    assert [(each["name"], each["artifact"], each["register_as"]) for each in models] == [
        ("churn", "models/churn", "shop"),
        ("churn", "models/churn.2", "shop"),
    ]


@pytest.mark.parametrize("address", ["{}:churn", "runs:/{}/churn", "{}:models/churn.2"])
def test_a_model_has_a_lineage_by_its_name(run, address, printed):
    with gittrack.start_run(name="evaluate", strict=True) as user:
        user.use_artifact(f"{run.id}:models/churn.2", role="model")
    tree = printed("lineage", address.format(run.id))
    assert tree.startswith("artifact models/churn.2 of ")
    assert f"└─ run evaluate ({user.id[:8]}) finished  model" in tree
