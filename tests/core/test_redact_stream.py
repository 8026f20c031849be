"""Secrets in output that comes in pieces: where they end changes nothing, and what is no secret stays as it is."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gittrack.core.redact import find_secret, redact_text
from gittrack.core.redact_stream import LONGEST_LINE, OutputRedactor
from tests.core.test_redact import HARMLESS, PEM_BODY, SECRETS, noise, pem

LINE_SECRETS = [text for kind, text in SECRETS if "\n" not in text.strip()]
NAMED = [
    *("--password=hunter2 --lr=0.1", "--api-key hunter2", "DB_PASS=x HF_TOKEN=y", "Authorization: Bearer abc.def"),
    *("password='hun ter2')", "os.environ['API_KEY'] = 'zzz'", "get https://u:pw@h/x?sig=1 now", "npm_authToken = zzz"),
    *(
        "\x1b[1mpassword\x1b[0m=hunter2",
        r"{\"password\": \"hun ter2\"}",
        "password='it\\'s hunter2'",
        "SECRET_KEY_BASE=x",
    ),
    *('{"password":["hunter2"]}', "key=SecretStr('x'); secret_key=SecretStr('zzz')", 'password = """zzz"""'),
    *("password%3Dhunter2", "curl -u me:hunter2 h", "['--password', 'zzz']", "\x1b[33mghp_" + noise(36)),
    f"AKIA{noise(16, 'ABCDEFGHJKLMNPQR234567')},{noise(40, seed=9)}",
    *("sent Bearer " + "aB3" * 8, '{"credentials": "zzz"}', "//u:pw@host", "postgres://me:p/w@host/db", "Pwd=zzz;"),
]
ordinary = st.one_of(
    st.text(max_size=40).map(lambda text: text.encode()),
    st.binary(max_size=40),
    st.sampled_from(
        [
            *(b"epoch 1 loss 0.693\n", b" 50%\r", b"\r\n", b"\n", b"max_tokens=512", b"https://a/b", b"----" * 9),
            *(b'{"token": 42, "logprob": -0.5}', b"pwd: /home/me", b"\x1b[0m", b"https://h/?page=2", b'"', b"\\"),
        ]
    ),
)
secret = st.sampled_from([*LINE_SECRETS, *NAMED, pem(), "PRIVATE KEY", "password", "="]).map(str.encode)
outputs = st.lists(st.one_of(ordinary, secret), max_size=12).map(b"".join)


def redacted(output: bytes, sizes: list[int] | None = None) -> bytes:
    redactor, kept, done = OutputRedactor(), [], 0
    for size in sizes or []:
        kept.append(redactor.feed(output[done : done + size]))
        done += size
    return b"".join([*kept, redactor.feed(output[done:]), redactor.finish()])


def line_by_line(output: bytes) -> bytes:
    """What is right, slowly: each line by itself."""
    parts = re.split(rb"([\r\n])", output)
    return b"".join(redact_text(part.decode("latin-1")).encode("latin-1") for part in parts)


@given(outputs, st.lists(st.integers(0, 50), max_size=40))
@example(b"x\r" + pem().encode() + b"done", [1] * 40)
def test_where_the_pieces_end_changes_nothing(output, sizes):
    assert redacted(output, sizes) == redacted(output)


@given(outputs, st.lists(st.integers(0, 50), max_size=40))
def test_every_line_is_masked_as_the_text_it_is(output, sizes):
    if b"-----BEGIN" not in output:
        assert redacted(output, sizes) == line_by_line(output)


@given(st.lists(ordinary, max_size=12).map(b"".join), st.lists(st.integers(0, 50), max_size=40))
def test_what_shows_no_secret_stays_as_it_is(output, sizes):
    if line_by_line(output) == output:
        assert redacted(output, sizes) == output


@pytest.mark.parametrize("text", [*LINE_SECRETS, *NAMED])
def test_a_secret_is_found_wherever_two_pieces_meet(text):
    whole = f"epoch 1\n12:00 INFO {text}\nepoch 2\n".encode()
    right = line_by_line(whole)
    assert right != whole
    assert all(redacted(whole, [cut]) == right for cut in range(len(whole)))
    assert redacted(whole, [1] * len(whole)) == right


@pytest.mark.parametrize("text", HARMLESS)
def test_the_search_misses_nothing_that_the_masking_finds(text):
    output = text.encode()
    if b"PRIVATE KEY" not in output and len(output) < LONGEST_LINE:
        assert redacted(output) == line_by_line(output)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("prefix", ["", "    ", "2026-11-21 INFO ", '  "'])
@pytest.mark.parametrize("kind", ["", "RSA ", "OPENSSH "])
def test_a_private_key_over_many_lines_is_masked(kind, prefix, end):
    lines = ["epoch 1", *pem(kind).splitlines(), "epoch 2 0.5"]
    output = "".join(prefix + line + end for line in lines).encode()
    for size in (1, 7, 64, 1000):
        kept = redacted(output, [size] * (len(output) // size)).decode()
        assert not any(line in kept for line in PEM_BODY.splitlines())
        assert "epoch 1" in kept
        assert kept.endswith(f"{prefix}epoch 2 0.5{end}")


def test_a_putty_key_is_masked():
    lines = "\r\n".join(noise(64, seed=seed) for seed in range(4))
    begin = "PuTTY-User-Key" + "-File-3: ssh-ed25519\r\nEncryption: none\r\nPrivate-Lines: 4\r\n"
    kept = redacted(f"{begin}{lines}\r\nPrivate-MAC: 0a1b\r\ntrained\r\n".encode()).decode()
    assert not any(line in kept for line in lines.split("\r\n"))
    assert kept.endswith("\r\ntrained\r\n")


def test_a_private_key_that_never_ends_takes_no_more_than_what_may_be_its_lines():
    output = ("-----BEGIN PRIVATE" + " KEY-----\n").encode() + b"epoch 1, loss 0.5\nMIIabc\n" + b"trained\n" * 1000
    kept = redacted(output)
    assert b"epoch 1, loss 0.5\n***\n" in kept
    assert kept.endswith(b"trained\n" * 300)


def test_a_line_goes_out_when_it_ends_and_a_progress_bar_does_not_wait():
    redactor = OutputRedactor()
    assert redactor.feed(b"one\ntw") == b"one\n"
    assert redactor.feed(b"o\r 50") == b"two\r"
    assert redactor.feed(b"%") == b""
    assert redactor.finish() == b" 50%"
    assert redactor.finish() == b""


def test_a_line_that_does_not_end_goes_out_in_parts():
    redactor = OutputRedactor()
    output = bytes(range(256)).replace(b"\n", b"").replace(b"\r", b"") * 2000
    kept = redactor.feed(output)
    assert output.startswith(kept)
    assert len(output) - len(kept) < LONGEST_LINE
    assert kept + redactor.finish() == output


@settings(max_examples=15)
@given(
    st.sampled_from([*LINE_SECRETS, "password=hunter2", '"api_key": "zzz"', *NAMED[4:]]),
    st.integers(LONGEST_LINE - (9 << 10), LONGEST_LINE + 500),
    st.sampled_from(["0.5 ", "12345,", "\x00\xff", "."]),
    st.integers(1, 70_000),
)
def test_a_secret_on_an_endless_line_is_masked_wherever_it_stands(text, before, filling, size):
    filler = (filling * (before // len(filling) + 1))[:before]
    output = f"{filler} {text} {filler} end".encode("latin-1")
    kept = redacted(output, [size] * (len(output) // size))
    assert kept == redacted(output)
    assert kept == line_by_line(output)


def test_a_value_longer_than_any_part_of_a_line_is_masked_to_its_end():
    value = "aB3" * 100_000
    output = f"x password={value} and then\nepoch 1\n".encode()
    for size in (1000, 65536, 1 << 20):
        kept = redacted(output, [size] * (len(output) // size))
        assert b"aB3aB3" not in kept
        assert kept.endswith(b" and then\nepoch 1\n")


@pytest.mark.parametrize(
    "unit",
    ["/", "//", "a", "password=", "-----BEGIN PRIVATE KEY-----", "key ", "eyJa.", "\n", "\r", "token=x\n", "@//"],
)
def test_hostile_output_takes_no_longer_than_its_length_asks_for(unit):
    def seconds(length: int) -> float:
        output = (unit * (length // len(unit) + 1))[:length].encode()
        started = time.process_time()
        redacted(output, [65536] * (length // 65536))
        return time.process_time() - started

    seconds(1 << 12)
    assert seconds(1 << 20) < 24 * seconds(1 << 18) + 1


def test_no_kind_of_secret_is_left_in_output():
    output = "".join(f"{text}\n" for _, text in SECRETS).encode()
    for size in (1, 100, 4096):
        assert find_secret(redacted(output, [size] * (len(output) // size))) is None
