from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.capture.redaction import names_secret, safe_text, storable


@pytest.mark.parametrize(
    "name",
    [
        *("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "--my-token", "my_token", "OPENAI_KEY", "--apiKey", "accessToken"),
        *("--auth", "SENTRY_DSN", "--cookie", "GH_PAT", "--password", "db-password", "WANDB_API_KEY", "--secret"),
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("--max-tokens", "--tokenizer", "--pad-token", "eos_token", "--sort-key", "--author", "--key", "--lr", ""),
        *("--token-dim", "--n-tokens", "--authors", "monkey", "path", "PYTHONHASHSEED", "--pattern"),
    ],
)
def test_ordinary_names_are_not_secret(name: str) -> None:
    assert not names_secret(name)


@given(st.text(alphabet=st.characters()) | st.text(alphabet=st.characters(categories=["Cs"])))
def test_captured_text_can_always_be_stored(text: str) -> None:
    safe_text(text).encode()
    assert storable(storable(text)) == storable(text)


def test_undecodable_bytes_of_an_argument_that_are_utf8_come_back() -> None:
    assert storable("é".encode().decode("ascii", "surrogateescape")) == "é"


def test_a_url_loses_user_info_and_query() -> None:
    assert safe_text("https://me:hunter2@host/data.csv?sig=abc") == "https://host/data.csv"
    assert "hunter2" not in safe_text("get https://me:hunter2@host/x and more")
