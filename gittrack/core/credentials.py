"""Credentials: recognised by the name of a file, and by shapes that only credentials have.

No credential may enter a commit, and no ordinary source file may be left out of a snapshot. So contents are judged by
what is unmistakable: a vendor's prefix, a PEM frame, an AWS key beside its id. :mod:`gittrack.core.redact` judges text
that people read, more freely.

Every pattern is linear on hostile input: it starts at a literal and its repetitions are bounded or cannot overlap.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

MASK = "***"

# -- file names ------------------------------------------------------------------------------------------------------

_SECRET_NAMES = frozenset(
    (
        *(".env", ".envrc", ".netrc", "_netrc", ".pgpass", "pgpass.conf", ".npmrc", ".yarnrc.yml", ".pypirc"),
        *(".htpasswd", ".git-credentials", ".dockercfg", ".my.cnf", ".boto", ".s3cfg", ".vault-token", ".secrets"),
        *(".renviron", "kaggle.json", "kubeconfig", ".kubeconfig", "secring.gpg", "client_secret.json"),
        *("secrets.toml", "secrets.json", "secrets.yaml", "secrets.yml", "application_default_credentials.json"),
    )
)
_SECRET_SUFFIXES = (".pem", ".key", ".p12", ".pfx", ".ppk", ".jks", ".keystore", ".kdbx")
_SECRET_ENDS = (
    *("/.aws/credentials", "/.kube/config", "/.docker/config.json", "/.dvc/config.local", "/.config/gh/hosts.yml"),
    *("/.cargo/credentials", "/.cargo/credentials.toml", "/.gem/credentials", "/.huggingface/token"),
    "/huggingface/token",
)
_SECRET_FOLDERS = ("/.gnupg/", "/.config/gcloud/")
_SSH_HARMLESS = frozenset(("known_hosts", "config", "authorized_keys"))
_PATTERN_WORDS = frozenset(("example", "sample", "template", "tmpl", "dist", "defaults", "default", "schema"))
_BACKUP_SUFFIXES = ("~", ".bak", ".old", ".orig", ".backup", ".save", ".swp")


def is_secret_path(path: str) -> bool:
    """Whether a file of this name usually holds secrets, whatever its contents.

    Args:
        path: absolute or relative, with ``/`` or ``\\`` between parts; upper and lower case are the same.

    >>> is_secret_path("deploy/.env.production"), is_secret_path(".env.example"), is_secret_path("id_rsa.pub")
    (True, False, False)
    """
    whole = "/" + path.replace("\\", "/").casefold()
    folder, _, name = whole.rpartition("/")
    for suffix in _BACKUP_SUFFIXES:
        name = name.removesuffix(suffix)
    words = frozenset(name.split("."))
    if name.endswith(".pub") or ("env" in words and words & _PATTERN_WORDS):
        return False
    if name in _SECRET_NAMES or name.endswith((*_SECRET_SUFFIXES, ".env")) or name.startswith(".env."):
        return True
    if name.endswith(".json") and _is_credential_json(name):
        return True
    if name.startswith(("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")) and "." not in name:
        return True
    if folder.endswith("/.ssh"):
        return name not in _SSH_HARMLESS
    located = f"{folder}/{name}"
    return located.endswith(_SECRET_ENDS) or any(part in located for part in _SECRET_FOLDERS)


def _is_credential_json(name: str) -> bool:
    stem = name.removesuffix(".json").replace("_", "-")
    return stem.endswith("credentials") or stem.startswith(("service-account", "client-secret", "gcp-key"))


# -- contents --------------------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """What one kind of credential looks like: searched for only when one of the literals occurs at all.

    The group ``kept`` of a pattern is no secret: the name that the value stands beside.
    """

    kind: str
    literals: tuple[str, ...]
    pattern: str


_WORD = r"[A-Za-z0-9_\-]"
_BASE64 = r"[A-Za-z0-9_+/\-]"


def _apart(start: str, rest: str, within: str = _WORD) -> str:
    """A pattern that begins where no word goes on; to look back after its first letters makes the search fast.

    A colour code, an escaped line feed and a ``%3D`` end in letters or digits that belong to no word.
    """
    ends = (
        rf"(?<!{within}{start})",
        rf"(?<=[\[;0-9]m{start})",
        rf"(?<=\\[nrt]{start})",
        rf"(?<=%[0-9A-F]{{2}}{start})",
    )
    return f"{start}(?:{'|'.join(ends)}){rest}"


_PEM = (
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\"'+,]|\\[nr]){0,40}(?:[A-Za-z\-]{3,20}: [^\r\n]{0,200}[\r\n]{1,4}){0,5}\s{0,20}[A-Za-z0-9+/=]{32}"
)
_SHAPES = (
    _Shape("private key", ("PRIVATE KEY",), _PEM),
    _Shape("putty private key", ("PuTTY-User-Key-File",), r"PuTTY-User-Key-File-\d: [a-z0-9\-]+\r?\n"),
    _Shape(
        "aws secret access key",
        ("ecret_access_key", "ECRET_ACCESS_KEY", "ecretAccessKey"),
        r"(?P<kept>(?:ecret_access_key|ECRET_ACCESS_KEY|ecretAccessKey)[\"']?\]?\s{0,5}[=:]\s{0,5}[\"']?)"
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    _Shape("github token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _apart("gh", r"[pousr]_[A-Za-z0-9]{36,255}")),
    _Shape("github token", ("github_pat_",), _apart("github_pat_", r"[A-Za-z0-9]{22}_[A-Za-z0-9]{40,255}")),
    _Shape(
        "gitlab token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-"),
        _apart("gl", r"(?:pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_\-]{20,300}"),
    ),
    _Shape("slack token", ("xox",), _apart("xox", r"[abeoprs](?:\.xox[bp])?-[0-9A-Za-z]+-[0-9A-Za-z\-]{10,250}")),
    _Shape("slack token", ("xapp-",), _apart("xapp-", r"\d-[A-Z0-9]+-[0-9A-Za-z\-]{20,250}")),
    _Shape("slack webhook", ("hooks.slack.com",), r"hooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/\w{20,64}"),
    _Shape("anthropic api key", ("sk-ant-",), _apart("sk-ant-", r"[A-Za-z0-9_\-]{24,300}")),
    _Shape("openai api key", ("T3BlbkFJ",), _apart("sk-", r"[A-Za-z0-9_\-]{20,120}?T3BlbkFJ[A-Za-z0-9_\-]{20,120}")),
    _Shape("openai api key", ("sk-proj-", "sk-svc", "sk-adm"), _apart("sk-", r"(?:proj|svcacct|admin)-[\w\-]{40,300}")),
    _Shape(
        "api key", ("sk-",), _apart("sk-", r"(?:or-v1-[0-9a-f]{64}|[A-Za-z0-9]{48}|[0-9a-f]{32})(?![A-Za-z0-9_\-])")
    ),
    _Shape("hugging face token", ("hf_",), _apart("hf_", r"[A-Za-z0-9]{34,40}(?![A-Za-z0-9_])")),
    _Shape("hugging face token", ("api_org_",), _apart("api_org_", r"[A-Za-z0-9]{34,40}(?![A-Za-z0-9_])")),
    _Shape("groq api key", ("gsk_",), _apart("gsk_", r"[A-Za-z0-9]{52}(?![A-Za-z0-9_])")),
    _Shape("replicate token", ("r8_",), _apart("r8_", r"[A-Za-z0-9]{37}(?![A-Za-z0-9_])")),
    _Shape("google api key", ("AIza",), _apart("AIza", r"[0-9A-Za-z_\-]{35}(?![0-9A-Za-z_\-+/=])", _BASE64)),
    _Shape("google oauth token", ("ya29.",), _apart(r"ya29\.", r"[\w\-]{20,300}")),
    _Shape("google oauth token", ("GOCSPX-",), _apart("GOCSPX-", r"[\w\-]{28}")),
    _Shape("stripe key", ("k_live_", "k_test_"), _apart(r"[sr]k_", r"(?:live|test)_[0-9a-zA-Z]{24,255}")),
    _Shape("npm token", ("npm_",), _apart("npm_", r"[A-Za-z0-9]{36}(?![A-Za-z0-9_])")),
    _Shape("npm token", ("_authToken",), r"(?P<kept>_authToken\s{0,3}=\s{0,3})[A-Za-z0-9\-+/=]{16,300}"),
    _Shape("pypi token", ("pypi-Ag",), _apart("pypi-Ag", r"[A-Za-z0-9_\-]{50,300}")),
    _Shape("azure storage key", ("AccountKey=",), r"(?P<kept>AccountKey=)[A-Za-z0-9+/]{86}=="),
    _Shape("azure access key", ("SharedAccessKey=",), r"(?P<kept>SharedAccessKey=)[A-Za-z0-9+/]{42,43}="),
    _Shape("azure client secret", ("Q~",), r"(?<![\w~.\-])[\w~.\-]{3}\dQ~[\w~.\-]{31,34}(?![\w~.\-])"),
    _Shape("sendgrid api key", ("SG.",), _apart(r"SG\.", r"[\w\-]{22}\.[\w\-]{43}")),
    _Shape("databricks token", ("dapi",), _apart("dapi", r"[0-9a-f]{32}(?![0-9A-Za-z])")),
    _Shape("digitalocean token", ("dop_v1_", "dor_v1_", "doo_v1_"), _apart("do", r"[opr]_v1_[0-9a-f]{64}")),
    _Shape("docker token", ("dckr_",), _apart("dckr_", r"[po]at_[\w\-]{20,100}")),
    _Shape(
        "weights & biases api key",
        ("WANDB_API_KEY", "wandb"),
        r"(?P<kept>(?:WANDB_API_KEY[\"']?\]?\s{0,5}[=:]\s{0,5}|wandb\.login\(\s{0,5}(?:key\s{0,5}=\s{0,5})?)[\"']?)"
        r"[0-9a-f]{40}",
    ),
    _Shape(
        "json web token",
        ("eyJ",),
        _apart("eyJ", r"[A-Za-z0-9_\-]{10,2000}\.eyJ[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{20,1000}", _BASE64),
    ),
)
_LITERALS = tuple((literal, shape.pattern) for shape in _SHAPES for literal in shape.literals)
_AWS_ID = _apart(r"A[KS]IA", r"[A-Z2-7]{16}(?![A-Za-z0-9+/=])", _BASE64)
_AWS_LONG = r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
# The secret of an AWS pair stands close to its id, in either order: the lines around it are enough.
_AWS_NEAR = 300
# The example of jwt.io, in countless tests and READMEs.
_HARMLESS = ("SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "EXAMPLE", "example", "XXXX", "xxxx")


@functools.cache
def _byte_pattern(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


@functools.cache
def text_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The pattern, compiled when it is first needed: most runs need none."""
    return re.compile(pattern, re.ASCII | flags)


def find_secret(data: bytes) -> str | None:
    """The kind of the first credential that ``data`` contains, or None.

    Time is linear in ``data``, about 30 ms per MiB. Placeholders (``AKIAIOSFODNN7EXAMPLE``, ``ghp_xxxx…``) do not
    count; an AWS key id counts only beside its secret.

    >>> find_secret(b"token = 'ghp_" + b"0a1B2c3D4e5F6g7H8i9J" * 2 + b"'")
    'github token'
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.replace(b"\0", b"")
    for shape in _SHAPES:
        if any(literal.encode() in data for literal in shape.literals):
            for match in _byte_pattern(shape.pattern).finditer(data):
                if not _is_placeholder(match[0].decode("latin-1")):
                    return shape.kind
    if b"AKIA" in data or b"ASIA" in data:
        return "aws access key" if any(True for _ in _aws_secrets(data.decode("latin-1"))) else None
    return None


def mask_credentials(text: str) -> str:
    """``text`` with every credential of a known shape as ``***``; the name that it stands beside stays.

    >>> mask_credentials("aws_secret_access_key = " + "0a1B/" * 8)
    'aws_secret_access_key = ***'
    """
    for literal, pattern in _LITERALS:
        if literal in text:
            text = text_pattern(pattern).sub(_mask, text)
    if "AKIA" in text or "ASIA" in text:
        parts, done = [], 0
        for start, end in sorted(set(_aws_secrets(text))):
            parts += [text[done:start], MASK]
            done = end
        text = "".join((*parts, text[done:]))
    return text


def mask_name(name: str) -> str:
    """``name`` with every credential of a known shape replaced, so that two names that differ still do.

    A name stands in commit messages, paths and tables, where ``***`` would be a pattern and the same for all. What
    replaces a token is made of its SHA-256, of which 32 bits tell nobody a token.

    >>> mask_name("try ghp_" + "0a1B2c3D4e5F6g7H8i9J" * 2), mask_name("train/loss")
    ('try secret-14591227', 'train/loss')
    """
    for literal, pattern in _LITERALS:
        if literal in name:
            name = text_pattern(pattern).sub(_digest, name)
    return name


def _mask(match: re.Match[str]) -> str:
    return _kept(match) + MASK


def _digest(match: re.Match[str]) -> str:
    if _is_placeholder(match[0]):
        return match[0]
    import hashlib  # loads OpenSSL: not where nothing is hashed

    kept = _kept(match)
    return f"{kept}secret-{hashlib.sha256(match[0][len(kept) :].encode('utf-8', 'replace')).hexdigest()[:8]}"


def _kept(match: re.Match[str]) -> str:
    return match["kept"] if "kept" in match.re.groupindex else ""


def _is_placeholder(text: str) -> bool:
    return len(set(text[-32:])) < 8 or any(word in text for word in _HARMLESS)


def _aws_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where the secrets of AWS key pairs stand."""
    for match in text_pattern(_AWS_ID).finditer(text):
        near = max(0, match.start() - _AWS_NEAR), match.end() + _AWS_NEAR
        for secret in text_pattern(_AWS_LONG).finditer(text, *near):
            # Forty hex digits are a commit id; a secret mixes all three classes.
            mixed = secret[0] not in (secret[0].upper(), secret[0].lower()) and any(map(str.isdigit, secret[0]))
            is_whole = not text_pattern(r"[A-Za-z0-9/+=]").match(text, secret.end())
            if mixed and is_whole and not _is_placeholder(secret[0]):
                yield secret.span()
