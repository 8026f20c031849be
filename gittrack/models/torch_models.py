"""PyTorch: the tensors of a module by safetensors, or as a state dict; by MLflow the whole module, which runs code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError, UsageError
from gittrack.models.flavour import Facts, class_name, descends_from, is_installed, needs_trust

_SAFE_FROM = (2, 6)
"""The version of PyTorch from which reading only tensors runs no code."""


class TorchModels:
    """Modules of PyTorch. Without MLflow their tensors are kept, not their class."""

    name = "pytorch"
    needs_mlflow = False

    def takes(self, model: object) -> bool:
        """Whether it is a module of PyTorch's."""
        return descends_from(model, "torch", "Module")

    def mlflow_options(self, model: Any, example: Any) -> Sequence[Mapping[str, Any]]:
        """An exported program where an example input tells how the module is called; else a pickle."""
        pickle = {"serialization_format": "pickle"}
        is_tensor = descends_from(example, "torch", "Tensor") or descends_from(example, "numpy", "ndarray")
        return ({}, pickle) if is_tensor else (pickle, {})

    def save(self, model: Any, folder: Path) -> dict[str, str]:
        """Write the tensors: ``model.safetensors``, or ``model.pt`` where safetensors is missing or cannot."""
        facts = {"class": class_name(model)}
        if is_installed("safetensors"):
            from safetensors.torch import save_model

            try:
                save_model(model, str(folder / "model.safetensors"))
                return facts | {"file": "model.safetensors", "format": "safetensors"}
            except (ValueError, RuntimeError, AttributeError):  # parts of the state that are no tensors
                (folder / "model.safetensors").unlink(missing_ok=True)
        import torch

        torch.save(model.state_dict(), folder / "model.pt")
        return facts | {"file": "model.pt", "format": "state_dict"}

    def read(self, data: Path, facts: Facts, *, trust: bool) -> Any:
        """Read the state dict: name -> tensor, on the CPU."""
        form = facts.get("format")
        try:
            if form == "safetensors":
                from safetensors import SafetensorError
                from safetensors.torch import load_file

                try:
                    return load_file(data)
                except SafetensorError as error:
                    raise ValueError(str(error)) from error
            if form == "state_dict":
                import torch

                if not trust and _version(torch) < _SAFE_FROM:  # CVE-2025-32434
                    raise needs_trust(f"PyTorch {display(torch.__version__, 20)} runs code in files of tensors")
                return torch.load(data, map_location="cpu", weights_only=True)
        except Exception as error:  # PyTorch raises many kinds
            if isinstance(error, ImportError | UsageError):
                raise
            raise CorruptRecordError(f"the tensors cannot be read: {display(str(error), 200)}") from error
        return None


def _version(torch: Any) -> tuple[int, ...]:
    numbers = re.match(r"([0-9]+)\.([0-9]+)", str(torch.__version__))
    return (0, 0) if numbers is None else (int(numbers[1]), int(numbers[2]))
