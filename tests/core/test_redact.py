"""Secrets are found and masked; ordinary files and texts are left alone; nothing hostile takes long.

Every credential here is made up and put together at run time, so that no scanner stumbles over this file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.core import redact
from gittrack.core.credentials import mask_name
from gittrack.core.redact import find_secret, is_secret_name, is_secret_path, redact_text, redact_url

LETTERS = string.ascii_letters + string.digits


def noise(length: int, alphabet: str = LETTERS, seed: int = 7) -> str:
    """``length`` characters that look random and are the same every time."""
    return "".join(random.Random(f"{seed}{length}{alphabet}").choices(alphabet, k=length))


PACKAGE = Path(redact.__file__).parent.parent
HEX = "0123456789abcdef"
PEM_BODY = "\n".join(noise(64, LETTERS + "+/", seed) for seed in range(6))


def pem(kind: str = "") -> str:
    """A private key that is none."""
    return f"-----BEGIN {kind}PRIVATE" + f" KEY-----\n{PEM_BODY}\n-----END {kind}PRIVATE KEY-----\n"


SECRETS = [
    ("private key", pem()),
    ("private key", pem("RSA ")),
    ("private key", pem("OPENSSH ")),
    ("private key", pem("RSA ").replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n", 1)),
    ("private key", json.dumps({"type": "service_account", "private_key": pem()})),
    ("private key", "".join("    " + line + "\n" for line in pem("EC ").splitlines())),
    ("putty private key", "PuTTY-User-Key" + "-File-3: ssh-ed25519\r\nEncryption: none\r\n"),
    ("aws access key", f"id: AKIA{noise(16, 'ABCDEFGHJKLMNPQR234567')}\nsecret: {noise(40, LETTERS + '/')}\n"),
    ("aws secret access key", "aws_secret_access" + f"_key = {noise(40)}\n"),
    ("aws secret access key", f'{{"SecretAccessKey": "{noise(40)}"}}'),
    ("github token", "ghp_" + noise(36)),
    ("github token", "https://x-access-token:ghs_" + noise(36) + "@github.com/a/b"),
    ("github token", f"github_pat_{noise(22)}_{noise(59)}"),
    ("gitlab token", "glpat-" + noise(20)),
    ("slack token", f"xoxb-{noise(12, string.digits)}-{noise(12, string.digits)}-{noise(24)}"),
    ("slack webhook", f"https://hooks.slack.com/services/T{noise(9)}/B{noise(9)}/{noise(24)}"),
    ("openai api key", f"sk-{noise(20)}T3Blbk" + f"FJ{noise(20)}"),
    ("openai api key", "sk-proj-" + noise(80, LETTERS + "_-")),
    ("anthropic api key", f"sk-ant-api03-{noise(93, LETTERS + '_-')}AA"),
    ("hugging face token", "hf_" + noise(34)),
    ("google api key", "AIza" + noise(35)),
    ("stripe key", "sk_live_" + noise(24)),
    ("npm token", "npm_" + noise(36)),
    ("npm token", "//registry.npmjs.org/:_auth" + f"Token={noise(36)}"),
    ("pypi token", "pypi-AgEIcHlwaS5vcmc" + noise(80)),
    ("azure storage key", "AccountName=x;Account" + f"Key={noise(86)}==;EndpointSuffix=core.windows.net"),
    ("azure access key", "SharedAccess" + f"Key={noise(43)}="),
    ("weights & biases api key", "export WANDB_API" + f"_KEY={noise(40, HEX)}"),
    ("weights & biases api key", f'wandb.login(key="{noise(40, HEX)}")'),
    ("json web token", f"eyJ{noise(30)}.eyJ{noise(80)}.{noise(43)}"),
]
ids = [f"{kind} {number}" for number, (kind, _) in enumerate(SECRETS)]


@pytest.mark.parametrize(("kind", "text"), SECRETS, ids=ids)
def test_a_secret_is_found_anywhere_in_a_file(kind: str, text: str) -> None:
    assert find_secret(text.encode()) == kind
    assert find_secret(b"# a comment\nkey = " + text.encode() + b"\nmore = 1\n") == kind
    assert find_secret(text.encode("utf-16")) == kind


@pytest.mark.parametrize(("kind", "text"), SECRETS, ids=ids)
def test_a_secret_is_masked_in_text(kind: str, text: str) -> None:
    masked = redact_text(f"failed: {text}")
    assert masked.startswith("failed: ")
    assert find_secret(masked.encode()) is None


HARMLESS = [
    'if b"-----BEGIN RSA PRIVATE KEY-----" in data:\n    raise ValueError("that is a PRIVATE KEY, not a certificate")',
    "-----BEGIN CERTIFICATE-----\n" + PEM_BODY + "\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n" + PEM_BODY + "\n-----END PUBLIC KEY-----",
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AKIA" + noise(16, "ABCDEFGHJKLMNPQR234567") + " was rotated in commit " + noise(40, HEX),
    "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx  # put yours here",
    "token = os.environ['HF_TOKEN']\npassword = getpass.getpass()\napi_key: str | None = None\n",
    "hf_model_name_or_path_to_a_pretrained_checkpoint = 'bert'",
    '<div class="sk-top-container"><div class="sk-estimator sk-toggleable sk-text-repr-fallback">',
    "task-classification-of-everything-in-one-long-name risk-assessment-of-a-very-long-hyphenated-identifier-x",
    "".join(f"    --hash=sha256:{noise(64, HEX, seed)} \\\n" for seed in range(300)),
    "".join(f'"integrity": "sha512-{noise(86, LETTERS + "+/", seed)}==",\n' for seed in range(300)),
    json.dumps(
        {
            "cells": [
                {"outputs": [{"data": {"image/png": base64.b64encode(random.Random(1).randbytes(300_000)).decode()}}]}
            ]
        }
    ),
    base64.urlsafe_b64encode(random.Random(2).randbytes(300_000)).decode(),
    "".join(noise(72, LETTERS + "+/", seed) + "\n" for seed in range(2000)),
    "xoxo, the author",
    "",
]


@pytest.mark.parametrize("text", HARMLESS, ids=range(len(HARMLESS)))
def test_an_ordinary_file_holds_no_secret(text: str) -> None:
    assert find_secret(text.encode()) is None


def test_no_source_file_of_this_project_nor_of_the_standard_library_looks_like_a_secret() -> None:
    folders = [PACKAGE, Path(__file__).parent.parent, Path(json.__file__).parent.parent]
    sources = [path for folder in folders[:2] for path in folder.rglob("*.py")] + sorted(folders[2].glob("*.py"))
    assert len(sources) > 150
    assert [path.name for path in sources if find_secret(path.read_bytes())] == []


def test_random_bytes_hold_no_secret() -> None:
    assert find_secret(random.Random(3).randbytes(2 << 20)) is None


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "a/.env", ".env.production", "prod.env", ".ENV", ".env.bak", ".env~", ".envrc", "C:\\x\\.env"),
        *("id_rsa", ".ssh/id_ed25519", "keys/id_rsa_work", "id_ecdsa.old", "/home/me/.ssh/work"),
        *("server.pem", "server.key", "x.p12", "credentials.json", "my-credentials.json", "client_secret_12.json"),
        *("service-account.json", "service_account_prod.json", ".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc"),
        *(".aws/credentials", "/root/.aws/credentials", "kubeconfig", ".kube/config", ".dvc/config.local"),
        *(".git-credentials", "kaggle.json", ".streamlit/secrets.toml", ".docker/config.json"),
    ],
)
def test_a_path_that_usually_holds_secrets_is_recognised(path: str) -> None:
    assert is_secret_path(path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".env.example",
            ".env.sample",
            ".env.template",
            "example.env",
            "id_rsa.pub",
            ".ssh/config",
            ".ssh/known_hosts",
        ),
        *("train.py", "credentials.py", "config.json", "tokenizer.json", "environment.yml", "env.py", "key.py", "pem"),
        *("monkey", "keys/readme.md", "id_rsa_test.py", "aws/credentials.md", ".dvc/config", "config", "", "a/b/"),
        *("service.json", "secrets.py", "tests/test_secrets.py", "vocab.txt", "model.keras"),
    ],
)
def test_an_ordinary_path_is_not_secret(path: str) -> None:
    assert not is_secret_path(path)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://me:token@host/team/repo.git?ref=x#frag", "https://host/team/repo.git"),
        ("HTTPS://me@HOST:8443/x", "HTTPS://HOST:8443/x"),
        ("git@github.com:team/repo.git", "git@github.com:team/repo.git"),
        ("git:pw@github.com:team/repo.git", "github.com:team/repo.git"),
        ("bob@host:dir/repo", "host:dir/repo"),
        ("ssh://git@host:22/x", "ssh://git@host:22/x"),
        ("ssh://git:pw@host/x", "ssh://git@host/x"),
        ("ssh://bob:pw@host/x", "ssh://host/x"),
        ("git+https://tok@github.com/x/y.git@main#egg=z", "git+https://github.com/x/y.git@main"),
        ("postgresql+psycopg2://u:p@h:5432/db?sslmode=x", "postgresql+psycopg2://h:5432/db"),
        ("postgresql://u:p/a@ss@h:5432/db", "postgresql://h:5432/db"),
        ("https://u:p#a?s/s@host/x", "https://host/x"),
        ("https://u:p@ss@host/x", "https://host/x"),
        ("redis://:pw@h:6379/0", "redis://h:6379/0"),
        ("jdbc:sqlserver://h:1433;user=a;password=b", "jdbc:sqlserver://h:1433"),
        ("jdbc:postgresql://u:p@h/db", "jdbc:postgresql://h/db"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=aa", "https://b.s3.amazonaws.com/k"),
        ("https://h/ghp_" + noise(36) + "/x", "https://h/***/x"),
        ("user:pw@proxy:8080", "proxy:8080"),
        ("user:pw@host.org/simple", "host.org/simple"),
        ("//u:p@h/x?y", "//h/x"),
        ("https://[::1]:80/x", "https://[::1]:80/x"),
        ("https://host/@scope/x@v1", "https://host/@scope/x@v1"),
        ("https://host:80/x@v1", "https://host:80/x@v1"),
        ("https:// me:p w@host/x", "https://host/x"),
    ],
)
def test_a_url_loses_user_info_query_and_fragment(url: str, kept: str) -> None:
    assert redact_url(url) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "data/train.csv", "/abs/path", "C:\\data\\x@y:z", "me@host.org", "mailto:me@host.org", "12:30@home"),
        *("python:3.11@sha256:abc", "../other", "name", "a b://c?d", "file:///a/b", "//server/share", "x?y=z", "\0"),
    ],
)
def test_what_is_no_url_is_unchanged(text: str) -> None:
    assert redact_url(text) == text


words = st.text(LETTERS, min_size=4, max_size=12)


@given(
    st.sampled_from(
        ["https", "http", "ssh", "ftp", "git+https", "postgresql", "mysql+pymysql", "s3", "mongodb+srv", "x"]
    ),
    words,
    words.map(lambda word: "PW" + word),
    words.map(lambda word: "host" + word + ".org"),
    words,
)
def test_no_password_survives_in_any_url(scheme: str, user: str, password: str, host: str, path: str) -> None:
    url = f"{scheme}://{user}:{password}@{host}/{path}?sig={password}#{password}"
    assert redact_url(url) == f"{scheme}://{host}/{path}"
    masked = redact_text(f"cannot open {url} today")
    assert password not in masked
    assert host in masked


@given(st.text())
def test_nothing_makes_redaction_fail_and_doing_it_twice_changes_nothing_more(text: str) -> None:
    once = redact_url(text)
    assert redact_url(once) == once
    redact_text(text)
    is_secret_path(text)
    is_secret_name(text)
    find_secret(text.encode())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("--password=hunter2 --lr=0.1", "--password=*** --lr=0.1"),
        ("--api-key hunter2 x", "--api-key *** x"),
        ("-token hunter2", "-token ***"),
        ("password: hunter2", "password: ***"),
        ("password='hun ter2')", "password='***')"),
        ('{"api_key": "zzz", "lr": 0.1}', '{"api_key": "***", "lr": 0.1}'),
        ("os.environ['API_KEY'] = 'zzz'", "os.environ['API_KEY'] = '***'"),
        ("DB_PASS=x HF_TOKEN=y", "DB_PASS=*** HF_TOKEN=***"),
        ("Server=h;Uid=u;Pwd=zzz;", "Server=h;Uid=u;Pwd=***;"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("'Authorization': 'Basic Zm9v'", "'Authorization': '***'"),
        ("sent Bearer " + "aB3" * 8, "sent Bearer ***"),
        ("password=$ecret", "password=***"),
        ("get https://u:pw@h/x?sig=1 now", "get https://***@h/x?*** now"),
        ("https://h/#access_token=1", "https://h/#***"),
        ("https://h/x?page=2&X-Amz-Signature=0a", "https://h/x?***"),
        ("password=it's 'x'", "password=*** 'x'"),
        ("password='it\\'s hunter2'", "password='***'"),
        ('password="a b \\" hunter2", lr=1', 'password="***", lr=1'),
        ('password = """hun"ter2""" x', 'password = """***""" x'),
        ('password="hunter2 and no end', 'password="***'),
        (r"{\"password\": \"hun ter2\", \"lr\": 1}", r"{\"password\": \"***\", \"lr\": 1}"),
        (r"\"password\": \"hun\\\"ter2\", \"lr\"", r"\"password\": \"***\", \"lr\""),
        (r'"line\ntoken=hunter2\n"', r'"line\ntoken=***"'),
        ('{"password":["hun", "ter2"], "lr": 1}', '{"password":[***], "lr": 1}'),
        ("password=('hun', 'ter2')", "password=(***)"),
        ("secret_key=SecretStr('hunter2') x", "secret_key=SecretStr('***') x"),
        ("password = b'hunter2'", "password = b'***'"),
        ('password: str = "hunter2"', 'password: str = "***"'),
        ("SECRET_KEY_BASE=hunter2", "SECRET_KEY_BASE=***"),
        ("password%3Dhunter2", "password%3D***"),
        ("%7B%22password%22%3A%22hunter2%22", "%7B%22password%22%3A***"),
        ("\x1b[1mpassword\x1b[0m=hunter2", "\x1b[1mpassword\x1b[0m=***"),
        ("\x1b[1mtoken\x1b[0m: \x1b[33mhunter2\x1b[0m x", "\x1b[1mtoken\x1b[0m: \x1b[33m***\x1b[0m x"),
        ('\x1b[32m"password"\x1b[0m: \x1b[33m"hunter2"\x1b[0m', '\x1b[32m"password"\x1b[0m: \x1b[33m"***"\x1b[0m'),
        ("\x1b[33mghp_" + noise(36) + "\x1b[0m", "\x1b[33m***\x1b[0m"),
        (r"tokens:\nghp_" + noise(36), r"tokens:\n***"),
        ("curl -u me:hunter2 http://h/", "curl -u me:*** http://h/"),
        ("curl -s --user 'me:hun' http://h/", "curl -s --user 'me:***' http://h/"),
        ("['train', '--password', 'hunter2', '--lr']", "['train', '--password', '***', '--lr']"),
        ("aws_secret_access" + f"_key = {noise(40)}", "aws_secret_access_key = ***"),
        ("Account" + f"Key={noise(86)}==;x", "AccountKey=***;x"),
        ("password=$HUNTER2ZZ!", "password=***"),
        ("password: 1234", "password: ***"),
        (r"{\"pwd\": \"hunter2\"}", r"{\"pwd\": \"***\"}"),
    ],
)
def test_secrets_are_masked_by_the_names_they_stand_beside(text: str, masked: str) -> None:
    assert redact_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        *("max_tokens=512 num_tokens: 5 tokenizer=bert", "pad_token='<pad>' eos_token=</s>", "--max-token 5"),
        *("def connect(password: str, token=None)", "PWD=/home/me", "token=$HF_TOKEN", 'password=""', "--password --x"),
        *("see https://docs.org/page#section", "https://host:80/a@b", "a // comment me@x", "the token was refused"),
        *("loss token: 3.5", "val/secret: 0.5", '{"token": 42, "logprob": -0.5}', "credential: 3", "val_secret=1e-05"),
        *("pwd: /home/me", "OLDPWD=~/x", 'pwd = "C:\\\\me"', "PWD: .", "use `auth_token=True`", "secret: yes"),
        *("next token : hello", '{"token": " the", "logprob": -1.5}', r'"token": "\u0120the"', '"token": "▁é!"'),
        *('"token": [1, 2, 3]', "token: [CLS]", '"token": "<|end|>"', '"token": "\\\\n"'),
        *("https://host/x?step=3#a", "s3://bucket/key?versionId=3", "see https://h/?q=keyword&sort=asc"),
        *("docker run -u 1000:1000 img", "docker run -u root:root img", "curl -u $ME:$PW"),
        *("lr=0.1 secret_size=3", "key=value", "author=me", "wrote s3://bucket/key"),
    ],
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("between", [",", " ", "\n", "\nsecret: ", "', '", "\t\t"])
def test_the_secret_of_an_aws_pair_is_masked_beside_its_id(between: str) -> None:
    id, secret = "AKIA" + noise(16, "ABCDEFGHJKLMNPQR234567"), noise(40, LETTERS + "/")
    for text, kept in ((f"{id}{between}{secret} x", f"{id}{between}*** x"), (f"{secret} {id}", f"*** {id}")):
        assert find_secret(text.encode()) == "aws access key"
        assert redact_text(text) == kept
    assert redact_text(f"{id} in commit {noise(40, HEX)}") == f"{id} in commit {noise(40, HEX)}"


def test_a_name_loses_its_credentials_and_nothing_else() -> None:
    first, second = ("ghp_" + noise(36, LETTERS, seed) for seed in (1, 2))
    assert mask_name(f"try {first}/a") != mask_name(f"try {second}/a")
    assert re.fullmatch("try secret-[0-9a-f]{8}/a", mask_name(f"try {first}/a"))
    assert mask_name(mask_name(first)) == mask_name(first)
    for name in ("password=hunter2", "train/loss", "ghp_" + "x" * 36, "token", "a" * 500, "https://u:p@h"):
        assert mask_name(name) == name


def test_secret_names_are_told_from_the_words_of_machine_learning() -> None:
    secret = [
        "password",
        "--db-password",
        "DB_PASSWD",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "HF_TOKEN",
        "token",
        "auth.token",
    ]
    harmless = ["max_tokens", "pad_token", "tokenizer", "key", "lr", "password_length", "passes", "secretary_problem"]
    assert [name for name in secret if not is_secret_name(name)] == []
    assert [name for name in harmless if is_secret_name(name)] == []


HOSTILE = [
    *(
        "a",
        " ",
        "-",
        "password=",
        "password=\"'",
        "://",
        "//",
        "a@",
        "@[",
        "a:",
        "sk-",
        "eyJ",
        "eyJaaaaaaaaaa.",
        "u:p@",
    ),
    *("xoxb-", "xoxb-a-", "--a-", " -a_a_a_a_", "AIza", "Q~", "token ", "Bearer ", "//u:p/", "gh_token", "postgres://"),
    *("password=\\", 'password=\\"\\', "password=[", 'password="""', "\x1b[", "\x1b[0m", "token\x1b[0m", "curl -u a"),
    *("token=" + "\\" * 300_000, "token=" + '\\"' * 100_000, "pwd=" + "\\" * 300_000, "https://h/?a=" + "?" * 300_000),
    *("password%3D", "--password ", '-password", ', "token=b'", "%22token", "password: str | None = ", "curl -u a:b "),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN A", "AKIA", "AKIA234567ABCDEFGHIJ ", "_authToken= ", "T3BlbkFJ sk-"),
]


@pytest.mark.parametrize("piece", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_input_takes_linear_time(piece: str) -> None:
    text = piece * max(1, (256 << 10) // len(piece))
    # Linear is 0.1 s; the quadratic pattern this is about takes minutes, which is more than a test may take.
    find_secret(text.encode())
    redact_text(text)
    redact_url(text)
    redact_url("https://" + text)


def test_importing_the_module_compiles_nothing() -> None:
    program = (
        "import re, sys; calls = []; compile = re.compile; re.compile = lambda *a: calls.append(a) or compile(*a)\n"
        "import gittrack.core.redact; sys.exit(len(calls))"
    )
    root = str(PACKAGE.parent)
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_a_digest_is_no_secret() -> None:
    digests = [hashlib.new(name, b"x").hexdigest() for name in ("md5", "sha1", "sha256", "sha512")]
    assert find_secret("\n".join(digests).encode()) is None
