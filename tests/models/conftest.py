"""Models of every library that is installed, and a way to be without MLflow."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

import pytest

import gittrack


def library(name: str) -> Any:
    """A library, or the test is skipped; what it warns of while it is loaded is its own business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return import_module(name)
        except ImportError:
            return pytest.skip(f"{name} is not installed")


@pytest.fixture
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow cannot be imported."""
    monkeypatch.setitem(sys.modules, "mlflow", None)


@pytest.fixture
def mlflow() -> Any:
    """MLflow with its flavours, or the test is skipped."""
    library("mlflow.pyfunc")
    return library("mlflow")


@pytest.fixture
def table() -> tuple[Any, Any]:
    """Twenty rows of two columns, and a class for each."""
    pandas = library("pandas")
    rows = pandas.DataFrame({"age": [float(n) for n in range(20)], "visits": [n % 3 for n in range(20)]})
    return rows, (rows["age"] > 9).astype(int)


def logged(*models: tuple[Any, str], **more: Any) -> gittrack.SavedRun:
    """A finished run that logged some models; nothing went wrong."""
    with gittrack.start_run(strict=True) as run:
        for model, name in models:
            assert run.log_model(model, name, **more) is not None
    saved = gittrack.get_run(run.id)
    assert saved.file("logs/errors.log") is None
    return saved
