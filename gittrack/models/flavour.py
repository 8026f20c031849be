"""What a flavour is: one kind of model, and how its files are written and read without MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from gittrack.errors import MissingDependencyError, UsageError

Facts = Mapping[str, str]
"""What the files of a model say of themselves: ``file``, ``format``, ``class``."""


class Flavour(Protocol):
    """One kind of model.

    Attributes:
        name: MLflow's name for it, and the module under ``mlflow`` that writes it.
        needs_mlflow: whether nobody else can keep it.
    """

    name: str
    needs_mlflow: bool

    def takes(self, model: object) -> bool:
        """Whether a model is of this kind. Imports nothing: the library of a model that exists is loaded."""

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """Arguments for MLflow's ``save_model``, the best first; the next ones are for when it fails."""

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Write a model into a folder without MLflow.

        Returns:
            The facts that :meth:`read` needs.

        Raises:
            MissingDependencyError: a package is needed for it.
        """

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Read a model's file without running what it says.

        Args:
            data: the file.
            facts: what is said of it; anybody may have written them.
            trust: whoever wrote it is trusted.

        Returns:
            The model; None when this cannot be done, as with a pickle.

        Raises:
            UsageError: it can be done, but not without trust.
        """


def descends_from(model: object, package: str, *names: str) -> bool:
    """Whether a class of a package is among the model's classes.

    Args:
        model: any object.
        package: top package of that class.
        names: names that the class may have; none: any.
    """
    for kind in type(model).__mro__:
        module = getattr(kind, "__module__", None)
        if isinstance(module, str) and module.partition(".")[0] == package and (not names or kind.__name__ in names):
            return True
    return False


def class_name(model: object) -> str:
    """The full name of a model's class."""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def is_installed(package: str) -> bool:
    """Whether a package can be imported; it is not imported."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def require(package: str, what: str, extra: str) -> None:
    """Refuse when a package is missing.

    Raises:
        MissingDependencyError: it is not installed.
    """
    if not is_installed(package):
        raise MissingDependencyError(f"{what} needs '{package}'", hint=f"pip install 'gittrack[{extra}]'")


def needs_trust(why: str) -> UsageError:
    """The error for a model that may run code when it is read."""
    return UsageError(
        f"{why}, which can run any code when it is read",
        hint="load_model(…, trust=True), when you trust whoever logged it",
    )
