"""A batch table without some of its rows, whatever kinds of rows newer versions put beside them."""

from __future__ import annotations

from collections.abc import Collection

from gittrack.core.format_version import check_version
from gittrack.core.ids import ObjectId
from gittrack.errors import CorruptRecordError

_MARK = "gittrack-batch"


def batch_without(data: bytes, commits: Collection[ObjectId]) -> bytes | None:
    """The bytes of a ``batch.tsv`` without the rows that name some commits; None when no row is left.

    Args:
        data: the file.
        commits: what goes.

    Raises:
        UnsupportedFormatError: a newer format, whose rows may mean something else.
        CorruptRecordError: it is no table of a batch.
    """
    try:
        first, *lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise CorruptRecordError("batch.tsv is damaged: not ASCII", hint="gittrack fsck") from error
    mark, _, version = first.partition("\t")
    if mark != _MARK or not version.isdigit() or len(version) > 9:
        raise CorruptRecordError("batch.tsv is damaged: no format version", hint="gittrack fsck")
    check_version(int(version), "a ledger")
    kept = [line for line in lines if line and ObjectId(line.rpartition("\t")[2]) not in commits]
    return "\n".join([first, *kept, ""]).encode() if kept else None
