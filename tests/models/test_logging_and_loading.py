"""Logging and loading models: their place among the artifacts, their addresses, and what strangers may have written."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
import zipfile

import pytest

import gittrack
from gittrack.api.maintain import doctor, fsck
from gittrack.api.project import Project
from gittrack.errors import (
    AmbiguousError,
    ArtifactNotFoundError,
    ConflictError,
    CorruptRecordError,
    InvalidNameError,
    InvalidValueError,
    NotFoundError,
    RunNotFoundError,
    UsageError,
)
from gittrack.models.torch_models import TorchModels
from tests.models.conftest import library, logged


@pytest.fixture
def model(table):
    """A small model that is data only; every test here does without MLflow unless it asks for it."""
    rows, classes = table
    library("skops.io")
    return library("sklearn.linear_model").LogisticRegression().fit(rows, classes)


def coefficients(model):
    return model.coef_.tolist()


def store_of(repo):
    return repo / ".git" / "gittrack" / "cache"


def folder_of(repo, files):
    folder = repo.parent / "hostile"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def logged_folder(folder):
    with gittrack.start_run(strict=True) as run:
        run.log_artifact(folder)
    return f"{run.id}:{folder.name}"


# -- what a run keeps ------------------------------------------------------------------------------------------------


def test_a_model_is_one_folder_however_small_and_the_run_says_all_of_it(repo, model, no_mlflow):
    with gittrack.start_run(strict=True) as run:
        told = run.log_model(model, "churn", step=3, params={"depth": 2}, tags={"stage": "trial", "api_key": "hunter2"})
    saved = gittrack.get_run(run.id)
    (entry,) = saved.artifacts()
    assert (entry.path, entry.storage, entry.is_folder) == ("models/churn", "pointer", True)
    (row,) = saved.models()
    assert row == told
    assert (row.digest, row.step, row.params, row.status) == (entry.digest, 3, {"depth": "2"}, "ready")
    assert row.tags == {"stage": "trial", "api_key": "***"}
    assert gittrack.runs()[0].models() == (row,)
    assert fsck(Project.open()) == []
    assert not list((store_of(repo) / "tmp").iterdir())


def test_models_of_one_name_lie_side_by_side_and_the_last_is_meant(repo, model, table, no_mlflow):
    rows, classes = table
    other = type(model)(C=0.01).fit(rows, classes)
    saved = logged((model, "churn"), (other, "churn"))
    assert [row.artifact for row in saved.models()] == ["models/churn", "models/churn.2"]
    assert coefficients(gittrack.load_model(f"{saved.id}:churn")) == coefficients(other)
    first = saved.models()[0]
    for address in (f"{saved.id}:{first.id}", f"{saved.id}:models/churn", f"runs:/{saved.id}/models/churn"):
        assert coefficients(gittrack.load_model(address)) == coefficients(model)


def test_that_a_name_came_again_is_said_once_and_each_model_has_an_address(repo, model, table, no_mlflow, capfd):
    rows, classes = table
    other = type(model)(C=0.01).fit(rows, classes)
    third = type(model)(C=0.001).fit(rows, classes)
    saved = logged((model, "net"), (other, "net"), (third, "net"))
    said = [line for line in capfd.readouterr().err.splitlines() if "already" in line]
    assert len(said) == 1
    assert "the run has 'models/net' already: this model is kept as 'models/net.2'" in said[0]
    for name, meant in (("net", third), ("net.2", other), ("net.3", third), ("models/net", model)):
        assert coefficients(gittrack.load_model(f"{saved.id}:{name}")) == coefficients(meant), name
    with pytest.raises(ArtifactNotFoundError, match=r"models: 'net', 'net\.2', 'net\.3'"):
        gittrack.load_model(f"{saved.id}:net.4")


def test_a_models_name_is_an_address_wherever_an_artifacts_path_is(repo, model, no_mlflow, tmp_path):
    with gittrack.start_run(strict=True) as run:
        run.log_model(model, "churn")
        run.log_model(model, "digits")
        run.log_text("mine", "digits")
    saved = gittrack.get_run(run.id)
    copy = saved.download("churn", tmp_path / "out")
    assert copy == tmp_path / "out" / "churn"
    assert (copy / "gittrack-model.toml").is_file()
    assert saved.artifact("churn/gittrack-model.toml") == (copy / "gittrack-model.toml").read_bytes()
    with gittrack.start_run(strict=True) as user:
        used = user.use_artifact(f"{run.id}:churn")
        assert (used.path, used.digest) == ("models/churn", saved.models()[0].digest)
        assert used.download(tmp_path / "used").is_dir()
        assert user.use_artifact(f"{run.id}:digits").read() == b"mine"
    assert saved.artifact("digits") == b"mine"
    with pytest.raises(ArtifactNotFoundError):
        saved.download("churns", tmp_path / "out")


def test_an_example_that_the_model_does_not_take_is_said(repo, model, table, no_mlflow, capfd):
    rows, classes = table
    model.fit(rows.to_numpy(), classes)
    saved = logged((model, "churn"), input_example="foo")
    assert saved.models()[0].status == "ready"
    (said,) = [line for line in capfd.readouterr().err.splitlines() if "input_example" in line]
    assert "model 'churn' does not take its input_example: ValueError" in said
    logged((model, "churn"), input_example=rows.to_numpy()[:2])
    assert "input_example" not in capfd.readouterr().err


def test_threads_that_log_one_name_at_once_get_a_path_each(repo, model, no_mlflow):
    with gittrack.start_run(strict=True) as run:
        threads = [threading.Thread(target=run.log_model, args=(model, "churn")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    paths = sorted(row.artifact for row in gittrack.get_run(run.id).models())
    assert paths == ["models/churn", "models/churn.2", "models/churn.3", "models/churn.4"]


def test_a_resumed_run_keeps_its_models_and_takes_no_path_again(repo, model, no_mlflow):
    saved = logged((model, "churn"))
    with gittrack.start_run(run_id=saved.id, strict=True) as run:
        run.log_model(model, "churn")
    again = gittrack.get_run(saved.id)
    assert again.models()[0] == saved.models()[0]
    assert [row.artifact for row in again.models()] == ["models/churn", "models/churn.2"]


def test_an_artifact_that_lies_there_already_is_not_overwritten(repo, model, no_mlflow):
    with gittrack.start_run(strict=True) as run:
        run.log_text("mine", "models/churn")
        run.log_model(model, "churn")
    assert gittrack.get_run(run.id).models()[0].artifact == "models/churn.2"


def test_the_wish_to_register_is_kept_and_said(repo, model, no_mlflow, capsys):
    saved = logged((model, "churn"), registered_model_name="churn-prod")
    assert saved.models()[0].register_as == "churn-prod"
    assert "'churn-prod'; there is no registry yet" in capsys.readouterr().err


def test_a_signature_may_be_given_as_mlflows_or_as_tables(repo, model, table, mlflow, monkeypatch):
    rows, classes = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of whole numbers, and falls back when that is an error
        given = library("mlflow.models").infer_signature(rows, classes)
    by_mlflow = logged((model, "churn"), signature=given).models()[0].signature
    monkeypatch.setitem(sys.modules, "mlflow", None)
    alone = logged((model, "churn"), signature=given).models()[0].signature
    assert by_mlflow == alone
    assert [column["type"] for column in alone["inputs"]] == ["double", "long"]
    tables = {"inputs": [{"name": "age", "type": "double"}]}
    assert logged((model, "churn"), signature=tables).models()[0].signature == tables


@pytest.mark.parametrize(
    ("name", "more", "error"),
    [
        ("a/b", {}, InvalidNameError),
        ("", {}, InvalidNameError),
        (None, {}, InvalidNameError),
        ("m", {"step": "third"}, InvalidValueError),
        ("m", {"tags": ["a"]}, InvalidValueError),
        ("m", {"signature": 3}, InvalidValueError),
        ("m", {"signature": {"inputs": "[{"}}, InvalidValueError),
        ("m", {"registered_model_name": ""}, InvalidValueError),
    ],
)
def test_what_cannot_be_said_of_a_model_is_refused_before_anything_is_kept(repo, model, no_mlflow, name, more, error):
    with gittrack.start_run(strict=True) as run, pytest.raises(error):
        run.log_model(model, name, **more)
    saved = gittrack.get_run(run.id)
    assert (saved.models(), saved.artifacts()) == ((), ())


def test_a_failure_never_reaches_the_training_and_a_silent_run_keeps_nothing(repo, no_mlflow, monkeypatch, capsys):
    with gittrack.start_run() as run:
        assert run.log_model(object(), "churn") is None
    assert "is no kind of model" in gittrack.get_run(run.id).file("logs/errors.log").decode()
    monkeypatch.setenv("GITTRACK_DISABLED", "1")
    with gittrack.start_run() as run:
        assert gittrack.log_model(object(), "churn") is None


def test_a_kill_while_a_model_is_written_leaves_no_model_and_doctor_clears_up(repo, project_env):
    library("skops.io")
    code = """
import os, signal, sys
sys.modules["mlflow"] = None
import gittrack
from gittrack.models import skops_file
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit([[0], [1]], [0, 1])
run = gittrack.start_run(strict=True)
run.log_model(model, "first")
real = skops_file.write
def die(model, path):
    real(model, path)
    os.kill(os.getpid(), signal.SIGKILL)
skops_file.write = die
run.log_model(model, "second")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, env=project_env, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    (saved,) = gittrack.runs()
    saved = gittrack.get_run(saved.id)
    assert (saved.status, [row.name for row in saved.models()]) == ("crashed", ["first"])
    assert [entry.path for entry in saved.artifacts()] == ["models/first"]
    (left,) = (store_of(repo) / "tmp").iterdir()
    os.utime(left, (0, 0))
    doctor(Project.open())
    assert not left.exists()


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["models:/churn@champion", "models:/churn/3", "churn@v3", "churn@champion"])
def test_a_registered_model_is_not_found_yet_and_the_line_says_why(repo, address):
    with pytest.raises(NotFoundError, match="there is no registry yet"):
        gittrack.load_model(address)


@pytest.mark.parametrize("address", ["", "churn", "runs:/", ":", 3])
def test_what_is_no_address_is_said_to_be_none(repo, address):
    with pytest.raises(UsageError):
        gittrack.load_model(address)


def test_a_run_or_a_model_that_is_not_there_is_named(repo, model, no_mlflow):
    saved = logged((model, "churn"))
    with pytest.raises(RunNotFoundError):
        gittrack.load_model("no-such-run:churn")
    with pytest.raises(ArtifactNotFoundError, match="has no model 'chrun' \\(models: 'churn'\\)") as refused:
        gittrack.load_model(f"{saved.id}:chrun")
    assert refused.value.hint == f"gittrack artifact ls {saved.id[:8]}"
    for _ in range(2):
        with gittrack.start_run(name="twin"):
            pass
    with pytest.raises(AmbiguousError):
        gittrack.load_model("twin:churn")


def test_a_run_that_uses_a_model_says_so(repo, model, no_mlflow):
    saved = logged((model, "churn"))
    with gittrack.start_run(strict=True) as run:
        gittrack.load_model("@-2:churn")
    (used,) = gittrack.get_run(run.id).record.inputs
    assert (used.name, used.role, used.uri) == ("churn", "model", f"run:{saved.id}/models/churn")
    assert used.digest == saved.models()[0].digest


# -- bytes that are not what they were -------------------------------------------------------------------------------


def test_damaged_bytes_are_never_read(repo, model, no_mlflow):
    saved = logged((model, "churn"))
    for path in (store_of(repo) / "files").rglob("*"):
        if path.is_file() and zipfile.is_zipfile(path):
            os.chmod(path, 0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptRecordError, match="cannot load 'churn' of run"):
        gittrack.load_model(f"{saved.id}:churn")


def test_bytes_that_are_elsewhere_are_fetched_and_without_a_remote_a_line_says_so(repo, model, no_mlflow, git):
    from gittrack.api.artifact_transfer import push_bytes

    remote = repo.parent / "remote"
    remote.mkdir()
    git("config", "gittrack.artifactRemote", str(remote))
    saved = logged((model, "churn"))
    assert not push_bytes(Project.open(), [saved]).failures
    for path in (store_of(repo) / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    assert coefficients(gittrack.load_model(f"{saved.id}:churn")) == coefficients(model)
    for path in (store_of(repo) / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    git("config", "--unset", "gittrack.artifactRemote")
    with pytest.raises(ArtifactNotFoundError, match="are not here"):
        gittrack.load_model(f"{saved.id}:churn")


def test_something_else_logged_in_a_models_place_is_not_taken_for_it(repo, model, no_mlflow):
    folder = folder_of(repo, {"gittrack-model.toml": "format_version = 1\n", "x" * 100: os.urandom(100_000)})
    with gittrack.start_run(strict=True) as run:
        run.log_model(model, "churn")
        run.log_artifacts(folder, "models/churn")
    with pytest.raises(ConflictError, match="no longer model 'churn'"):
        gittrack.load_model(f"{run.id}:churn")


# -- folders that strangers made -------------------------------------------------------------------------------------


class Bomb:
    """What a pickle can do to whoever reads it."""

    def __reduce__(self):
        return (os.mkdir, ("exploded",))


MLMODEL = """
flavors:
  python_function: {{loader_module: os, data: model.pkl}}
  {flavour}: {facts}
"""


@pytest.mark.parametrize(
    ("flavour", "facts"),
    [
        ("sklearn", "{pickled_model: model.pkl, serialization_format: cloudpickle}"),
        ("sklearn", "{pickled_model: model.pkl}"),
        ("sklearn", "{pickled_model: model.pkl, serialization_format: skops, skops_trusted_types: [posix.mkdir]}"),
        ("lightgbm", "{data: model.pkl, model_class: lightgbm.sklearn.LGBMClassifier}"),
        ("lightgbm", "{data: model.pkl, model_class: lightgbm.basic.Booster}"),
        ("xgboost", "{data: model.pkl, model_class: subprocess.Popen}"),
        ("xgboost", "{data: model.pkl, model_class: xgboost.sklearn.XGBClassifier}"),
        ("pytorch", "{model_data: model.pkl, code: code}"),
        ("statsmodels", "{data: model.pkl}"),
        ("keras", "{data: model.pkl}"),
        ("onnx", "{data: model.pkl}"),
        ("other", "{data: model.pkl}"),
        ("sklearn", "{pickled_model: ../../outside}"),
        ("sklearn", "{pickled_model: /etc/passwd, serialization_format: skops}"),
        ("sklearn", "[1, 2]"),
    ],
)
def test_a_strangers_folder_runs_nothing_without_trust(repo, no_mlflow, flavour, facts, capfd):
    for name in ("xgboost", "lightgbm", "onnx", "skops.io", "yaml"):
        library(name)
    files = {"MLmodel": MLMODEL.format(flavour=flavour, facts=facts), "model.pkl": pickle.dumps(Bomb())}
    address = logged_folder(folder_of(repo, files))
    with pytest.raises((UsageError, CorruptRecordError)):
        gittrack.load_model(address)
    assert not (repo / "exploded").exists()


DOUBLING = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 14)
)


@pytest.mark.parametrize(
    "text",
    [
        DOUBLING,
        "flavors: !!bool x",
        'flavors: !!timestamp "x"',
        'flavors: !!int ""',
        "flavors: " + "[" * 60 + "]" * 60,
        "flavors: " + "{a: " * 5000,
        "flavors: !!python/object/apply:os.mkdir [exploded]",
        "x" * (1 << 21),
    ],
    ids=["doubling", "bool", "timestamp", "int", "deep", "deeper", "object", "huge"],
)
def test_a_forged_mlmodel_is_refused_at_once(repo, no_mlflow, text, capfd):
    library("yaml")
    address = logged_folder(folder_of(repo, {"MLmodel": text, "model.pkl": b"x"}))
    with pytest.raises(CorruptRecordError, match="MLmodel is damaged"):
        gittrack.load_model(address)
    assert not (repo / "exploded").exists()


def test_an_old_pytorch_reads_tensors_only_with_trust(repo, no_mlflow, monkeypatch):
    torch = library("torch")
    files = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, files)
    folder = folder_of(repo, {"model.pt": files.getvalue()})
    facts = {"file": "model.pt", "format": "state_dict"}
    assert set(TorchModels().read(folder / "model.pt", facts, trust=False)) == {"w"}
    monkeypatch.setattr(torch, "__version__", "2.5.1+cu121")
    with pytest.raises(UsageError, match=r"PyTorch 2\.5\.1\+cu121 runs code"):
        TorchModels().read(folder / "model.pt", facts, trust=False)
    assert set(TorchModels().read(folder / "model.pt", facts, trust=True)) == {"w"}


def skops_file(schema):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("schema.json", schema)
    return data.getvalue()


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("skops", b"no zip file"),
        ("skops", skops_file("{")),
        ("skops", skops_file('{"__loader__": "Nothing"}')),
        ("safetensors", b"\xff" * 100),
        ("state_dict", pickle.dumps(Bomb())),
        ("pickle", pickle.dumps(Bomb())),
    ],
)
def test_a_damaged_or_forged_file_of_ours_is_refused(repo, no_mlflow, form, data):
    library("torch" if form in ("safetensors", "state_dict") else "skops.io")
    flavour = "pytorch" if form in ("safetensors", "state_dict") else "sklearn"
    text = f'format_version = 1\nflavour = "{flavour}"\nfile = "model.bin"\nformat = "{form}"\nclass = "os.system"\n'
    address = logged_folder(folder_of(repo, {"gittrack-model.toml": text, "model.bin": data}))
    with pytest.raises((UsageError, CorruptRecordError)):
        gittrack.load_model(address)
    assert not (repo / "exploded").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "format_version = 2\nflavour = 'sklearn'\nfile = 'a'\nformat = 'skops'\nclass = 'a'\n",
        "format_version = 1\nflavour = 3\n",
        "format_version = 1\nflavour = 'nobody-knows'\nfile = 'a'\nformat = 'a'\nclass = 'a'\n",
        "format_version = 1\nflavour = 'sklearn'\nfile = '../a'\nformat = 'skops'\nclass = 'a'\n",
    ],
)
def test_a_description_of_ours_that_makes_no_sense_is_refused(repo, no_mlflow, text):
    address = logged_folder(folder_of(repo, {"gittrack-model.toml": text, "a": b"x"}))
    with pytest.raises((UsageError, CorruptRecordError), match="cannot load"):
        gittrack.load_model(address, trust=True)


def test_a_model_that_mlflow_logged_as_an_artifact_is_loaded_from_its_folder(repo, model, mlflow):
    folder = repo.parent / "by-hand"
    library("mlflow.sklearn").save_model(model, str(folder), pip_requirements=["scikit-learn"])
    address = logged_folder(folder)
    assert coefficients(gittrack.load_model(address)) == coefficients(model)


# -- DVC -------------------------------------------------------------------------------------------------------------


def test_dvc_gets_the_model_by_its_name(repo, model, no_mlflow, git, project_env):
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet"], cwd=repo, env=project_env, check=True, timeout=120)
    git("add", ".dvc", ".dvcignore")
    git("commit", "--quiet", "--message=dvc")
    saved = logged((model, "churn-2"))
    git("tag", "--annotate", "--message=first", "churn-2@v1.0.0", saved.commit)
    got = subprocess.run(
        [*dvc, "artifacts", "get", str(repo), "churn-2", "--rev", "v1.0.0", "--out", "got"],
        cwd=repo.parent,
        env=project_env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert got.returncode == 0, got.stderr
    assert (repo.parent / "got" / "gittrack-model.toml").is_file()
