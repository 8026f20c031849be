from __future__ import annotations

import pytest

from gittrack.capture.failure import format_traceback, one_line

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def _caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_traceback_names_the_line_and_the_cause() -> None:
    try:
        try:
            raise KeyError("lr")
        except KeyError as cause:
            raise ValueError("no learning rate") from cause
    except ValueError as error:
        text = format_traceback(error)
    assert "KeyError: 'lr'" in text
    assert text.rstrip().endswith("ValueError: no learning rate")
    assert "test_failure.py" in text


def test_secrets_in_a_message_are_masked() -> None:
    error = _caught(ConnectionError(f"401 for https://me:hunter2@host/x with {TOKEN}"))
    for text in (format_traceback(error), one_line(error)):
        assert TOKEN not in text
        assert "hunter2" not in text


@pytest.mark.parametrize("limit", [100, 1000, 65536])
def test_a_long_traceback_keeps_both_ends_and_its_limit(limit: int) -> None:
    text = format_traceback(_caught(ValueError("é" * 500_000 + "the end")), limit)
    assert len(text.encode()) <= limit
    assert "bytes left out" in text
    assert text.startswith("Traceback")
    assert text.rstrip().endswith("the end")


def test_a_secret_torn_by_a_cut_does_not_survive() -> None:
    limit = 1000
    for before in range(0, limit * 2 + 100, 13):
        message = "x" * before + " " + TOKEN + " y" * limit * 3
        text = format_traceback(_caught(ValueError(message)), limit)
        assert TOKEN[:12] not in text


def test_an_error_that_cannot_be_printed_is_still_reported() -> None:
    assert one_line(Unprintable()) == "Unprintable: <unprintable>"
    assert "Unprintable" in format_traceback(_caught(Unprintable()))


def test_one_line_is_one_line_and_short() -> None:
    assert one_line(ValueError("first\nsecond")) == "ValueError: first"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(one_line(ValueError("x" * 10_000))) == 500
    one_line(ValueError("\udcff")).encode()
