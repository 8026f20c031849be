"""Models of real libraries: logged, and given back as what they were, with MLflow and without it."""

from __future__ import annotations

import json
import sys
import tomllib

import pytest

import gittrack
from gittrack.errors import MissingDependencyError, UsageError
from tests.models.conftest import library, logged


def predictions(model, rows):
    return [float(value) for value in model.predict(rows)]


def of_sklearn(rows, classes):
    pipeline, scaler = library("sklearn.pipeline"), library("sklearn.preprocessing")
    forest = library("sklearn.ensemble").RandomForestClassifier(3, random_state=0)
    library("skops.io")
    return pipeline.make_pipeline(scaler.StandardScaler(), forest).fit(rows, classes)


def of_xgboost(rows, classes):
    return library("xgboost").XGBClassifier(n_estimators=3).fit(rows, classes)


def of_lightgbm(rows, classes):
    library("skops.io")
    return library("lightgbm").LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1).fit(rows, classes)


def a_lightgbm_booster(rows, classes):
    lightgbm = library("lightgbm")
    return lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(rows, classes), 3)


DATA_ONLY = [of_sklearn, of_xgboost, of_lightgbm, a_lightgbm_booster]
LIBRARY = {of_sklearn: "sklearn", of_xgboost: "xgboost", of_lightgbm: "lightgbm", a_lightgbm_booster: "lightgbm"}


@pytest.mark.parametrize("make", DATA_ONLY)
def test_without_mlflow_a_model_comes_back_as_it_was(repo, table, no_mlflow, make):
    rows, classes = table
    model = make(rows, classes)
    saved = logged((model, "churn"), input_example=rows.head(2))
    (row,) = saved.models()
    assert (row.flavour, row.packaging, row.artifact) == (LIBRARY[make], "gittrack", "models/churn")
    again = gittrack.load_model(f"{saved.id}:churn")
    assert type(again) is type(model)
    assert predictions(again, rows) == predictions(model, rows)


@pytest.mark.parametrize("make", DATA_ONLY)
def test_what_mlflow_wrote_comes_back_without_trust_and_without_mlflow(repo, table, mlflow, make, monkeypatch):
    rows, classes = table
    model = make(rows, classes)
    saved = logged((model, "churn"), input_example=rows.head(2))
    (row,) = saved.models()
    assert (row.flavour, row.packaging) == (LIBRARY[make], "mlflow")
    assert [column["name"] for column in row.signature["inputs"]] == ["age", "visits"]
    assert {"MLmodel", "requirements.txt", "input_example.json"} <= {
        path.name for path in saved.download("models/churn", "out").iterdir()
    }
    monkeypatch.setitem(sys.modules, "mlflow", None)
    again = gittrack.load_model(f"runs:/{saved.id}/churn")
    assert type(again) is type(model)
    assert predictions(again, rows) == predictions(model, rows)


@pytest.mark.parametrize("make", DATA_ONLY)
def test_mlflow_itself_loads_the_folder(repo, table, mlflow, make):
    rows, classes = table
    model = make(rows, classes)
    folder = logged((model, "churn")).download("models/churn", "out")
    again = library("mlflow.pyfunc").load_model(str(folder))
    assert predictions(again, rows) == predictions(model, rows)


def test_without_mlflow_the_folder_says_what_the_model_needs_and_takes(repo, table, no_mlflow):
    rows, classes = table
    saved = logged((of_sklearn(rows, classes), "churn"), input_example=rows.head(2))
    folder = saved.download("models/churn", "out")
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in lines] == ["numpy", "scikit-learn", "skops"]
    assert json.loads((folder / "input_example.json").read_text()) == {
        "columns": ["age", "visits"],
        "data": [[0.0, 0], [1.0, 1]],
    }
    (row,) = saved.models()
    assert row.signature["inputs"] == [
        {"name": "age", "required": True, "type": "double"},
        {"name": "visits", "required": True, "type": "long"},
    ]
    assert row.signature["outputs"] == [{"tensor-spec": {"dtype": "int64", "shape": [-1]}, "type": "tensor"}]
    assert tomllib.loads((folder / "gittrack-model.toml").read_text())["signature"] == row.signature


def test_of_pytorch_the_tensors_are_kept_without_mlflow(repo, no_mlflow):
    torch = library("torch")
    library("safetensors.torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 2))
    net.tied = net[0].weight  # one tensor under two names
    saved = logged((net, "net"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "safetensors", None)
        plain = logged((net, "net"))
    assert not (plain.download("models/net", "out") / "model.safetensors").exists()
    for run in (saved, plain):
        state = gittrack.load_model(f"{run.id}:net")
        assert torch.equal(state["0.weight"], net[0].weight)
        other = torch.nn.Sequential(torch.nn.Linear(3, 2))
        other.load_state_dict(state, strict=False)
        assert torch.equal(other[0].bias, net[0].bias)


def test_of_pytorch_mlflow_keeps_the_module_which_needs_trust(repo, mlflow):
    torch = library("torch")
    net = torch.nn.Sequential(torch.nn.Linear(3, 2))
    saved = logged((net, "net"))
    with pytest.raises(UsageError, match="pickle") as refused:
        gittrack.load_model(f"{saved.id}:net")
    assert "trust=True" in refused.value.hint
    again = gittrack.load_model(f"{saved.id}:net", trust=True)
    assert torch.equal(again[0].weight, net[0].weight)


def test_of_pytorch_mlflow_exports_a_program_where_an_example_tells_how_it_is_called(repo, mlflow):
    torch, numpy = library("torch"), library("numpy")
    net = torch.nn.Sequential(torch.nn.Linear(3, 2))
    saved = logged((net, "net"), input_example=numpy.zeros((2, 3), "float32"))
    assert saved.models()[0].signature["outputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 2]}
    with pytest.raises(UsageError):
        gittrack.load_model(f"{saved.id}:net")
    again = gittrack.load_model(f"{saved.id}:net", trust=True)
    assert torch.equal(again(torch.ones(1, 3)), net(torch.ones(1, 3)))


def double(model_input):
    return [2 * value for value in model_input]


def test_a_function_is_mlflows_and_needs_trust(repo, mlflow, capsys):
    saved = logged((double, "double"))
    assert "trust=True" in capsys.readouterr().err
    with pytest.raises(UsageError, match="pickle"):
        gittrack.load_model(f"{saved.id}:double")
    assert gittrack.load_model(f"{saved.id}:double", trust=True).predict([1, 2]) == [2, 4]


def test_a_result_of_statsmodels_is_mlflows_and_needs_trust(repo, mlflow, table):
    regression = library("statsmodels.api")
    rows, classes = table
    result = regression.OLS(classes, rows).fit()
    saved = logged((result, "ols"))
    with pytest.raises(UsageError, match="pickle"):
        gittrack.load_model(f"{saved.id}:ols")
    assert gittrack.load_model(f"{saved.id}:ols", trust=True).params.to_dict() == result.params.to_dict()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, on PyTorch
def test_a_keras_model_is_mlflows_and_needs_trust(repo, mlflow, monkeypatch):
    library("torch")
    numpy = library("numpy")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = library("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    saved = logged((model, "net"), input_example=numpy.zeros((2, 3), "float32"))
    (row,) = saved.models()
    assert row.flavour == "keras"
    assert row.signature["inputs"][0]["tensor-spec"] == {"dtype": "float32", "shape": [-1, 3]}
    with pytest.raises(UsageError, match="which can run any code"):
        gittrack.load_model(f"{saved.id}:net")
    again = gittrack.load_model(f"{saved.id}:net", trust=True)
    assert again.get_weights()[0].tolist() == model.get_weights()[0].tolist()


def test_an_onnx_graph_is_data(repo, no_mlflow):
    onnx = library("onnx")
    helper = onnx.helper
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy"]
    model = helper.make_model(helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:]))
    saved = logged((model, "graph"))
    assert gittrack.load_model(f"{saved.id}:graph") == model


def test_an_onnx_graph_that_names_other_files_is_not_followed(repo, no_mlflow):
    onnx = library("onnx")
    helper = onnx.helper
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../secret")
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [tensor])
    saved = logged((helper.make_model(graph), "graph"))
    with pytest.raises(UsageError):
        gittrack.load_model(f"{saved.id}:graph")


def test_what_only_mlflow_keeps_says_which_extra_is_missing(repo, no_mlflow):
    with gittrack.start_run(strict=True) as run:
        with pytest.raises(MissingDependencyError, match="a Python function needs 'mlflow'") as refused:
            run.log_model(double, "double")
        assert refused.value.hint == "pip install 'gittrack[mlflow]'"
    saved = gittrack.get_run(run.id)
    assert (saved.models(), saved.artifacts()) == ((), ())


def test_without_skops_a_model_of_sklearn_says_which_extra_is_missing(repo, table, no_mlflow, monkeypatch):
    rows, classes = table
    model = library("sklearn.linear_model").LogisticRegression().fit(rows, classes)
    monkeypatch.setitem(sys.modules, "skops", None)
    with gittrack.start_run(strict=True) as run, pytest.raises(MissingDependencyError, match="skops") as refused:
        run.log_model(model, "churn")
    assert refused.value.hint == "pip install 'gittrack[sklearn]'"


def test_what_skops_cannot_keep_mlflow_pickles_and_a_line_says_so(repo, table, mlflow, capsys):
    rows, classes = table
    pipeline, processing = library("sklearn.pipeline"), library("sklearn.preprocessing")
    logistic = library("sklearn.linear_model").LogisticRegression()
    model = pipeline.make_pipeline(processing.FunctionTransformer(lambda x: x * 2), logistic).fit(rows, classes)
    saved = logged((model, "churn"))
    assert "can run code when it is read" in capsys.readouterr().err
    with pytest.raises(UsageError):
        gittrack.load_model(f"{saved.id}:churn")
    again = gittrack.load_model(f"{saved.id}:churn", trust=True)
    assert predictions(again, rows) == predictions(model, rows)


def test_what_is_no_model_is_named_and_nothing_is_kept(repo):
    with gittrack.start_run(strict=True) as run, pytest.raises(UsageError, match=r"builtins\.dict is no kind"):
        run.log_model({"a": 1}, "churn")
    assert gittrack.get_run(run.id).artifacts() == ()
