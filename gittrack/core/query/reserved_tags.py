"""MLflow's reserved tags: those it gives every run, and which of our attributes says the same.

One table for queries, orders and frames, so that a column of a frame can be asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RUN_NAME = "mlflow.runName"
"""The one that is always the attribute: renaming a run renames it, whatever tag it was begun with."""

ATTRIBUTE_OF_TAG: Mapping[str, str] = {
    RUN_NAME: "name",
    "mlflow.user": "author",
    "mlflow.source.name": "entry",
    "mlflow.source.git.commit": "commit",
    "mlflow.source.git.branch": "branch",
    "mlflow.parentRunId": "parent",
    "mlflow.note.content": "note",
}
"""Reserved tag -> attribute."""

CONSTANT_TAGS: Mapping[str, str] = {"mlflow.source.type": "LOCAL"}
"""Reserved tags that say the same of every run: MLflow has ``LOCAL`` wherever none of its own services started it."""

RESERVED_TAGS = frozenset({*ATTRIBUTE_OF_TAG, *CONSTANT_TAGS})


def tag_value(key: str, tags: Mapping[str, str], attributes: Mapping[str, Any]) -> str | None:
    """A run's tag; of a reserved one that nobody set, what the run's attribute says.

    Args:
        key: of the tag.
        tags: that the run has.
        attributes: by their names in queries.

    >>> tag_value("mlflow.user", {}, {"author": "ada"}), tag_value("mlflow.user", {"mlflow.user": "me"}, {})
    ('ada', 'me')
    """
    if key not in RESERVED_TAGS:
        return tags.get(key)
    own = None if key == RUN_NAME else tags.get(key)
    value: str | None = own or CONSTANT_TAGS.get(key) or attributes.get(ATTRIBUTE_OF_TAG.get(key, ""))
    return value or None
