"""Secrets: recognised by file name and by content, and masked in URLs and text before anything is recorded.

Two goals pull apart: no credential may enter a commit, and no ordinary source file may be left out of a snapshot.
So contents are judged by shapes that only credentials have (a vendor's prefix, a PEM frame), while text that people
read (commands, tracebacks) is masked more freely, by the names that values stand beside.

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
    """What one kind of credential looks like: searched for only when one of the literals occurs at all."""

    kind: str
    literals: tuple[str, ...]
    pattern: str


_EDGE = r"(?<![A-Za-z0-9_\-])"
_BASE64_EDGE = r"(?<![A-Za-z0-9_+/\-])"
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
        r"(?:ecret_access_key|ECRET_ACCESS_KEY|ecretAccessKey)[\"']?\]?\s{0,5}[=:]\s{0,5}[\"']?"
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    _Shape("github token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _EDGE + r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    _Shape("github token", ("github_pat_",), _EDGE + r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{40,255}"),
    _Shape(
        "gitlab token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-"),
        _EDGE + r"gl(?:pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_\-]{20,300}",
    ),
    _Shape("slack token", ("xox",), _EDGE + r"xox[abeoprs](?:\.xox[bp])?-[0-9A-Za-z]+-[0-9A-Za-z\-]{10,250}"),
    _Shape("slack token", ("xapp-",), _EDGE + r"xapp-\d-[A-Z0-9]+-[0-9A-Za-z\-]{20,250}"),
    _Shape("slack webhook", ("hooks.slack.com",), r"hooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/\w{20,64}"),
    _Shape("anthropic api key", ("sk-ant-",), _EDGE + r"sk-ant-[A-Za-z0-9_\-]{24,300}"),
    _Shape("openai api key", ("T3BlbkFJ",), _EDGE + r"sk-[A-Za-z0-9_\-]{20,120}?T3BlbkFJ[A-Za-z0-9_\-]{20,120}"),
    _Shape("openai api key", ("sk-proj-", "sk-svc", "sk-adm"), _EDGE + r"sk-(?:proj|svcacct|admin)-[\w\-]{40,300}"),
    _Shape("api key", ("sk-",), _EDGE + r"sk-(?:or-v1-[0-9a-f]{64}|[A-Za-z0-9]{48}|[0-9a-f]{32})(?![A-Za-z0-9_\-])"),
    _Shape("hugging face token", ("hf_",), _EDGE + r"(?:hf|api_org)_[A-Za-z0-9]{34,40}(?![A-Za-z0-9_])"),
    _Shape("groq api key", ("gsk_",), _EDGE + r"gsk_[A-Za-z0-9]{52}(?![A-Za-z0-9_])"),
    _Shape("replicate token", ("r8_",), _EDGE + r"r8_[A-Za-z0-9]{37}(?![A-Za-z0-9_])"),
    _Shape("google api key", ("AIza",), _BASE64_EDGE + r"AIza[0-9A-Za-z_\-]{35}(?![0-9A-Za-z_\-+/=])"),
    _Shape("google oauth token", ("ya29.", "GOCSPX-"), _EDGE + r"(?:ya29\.[\w\-]{20,300}|GOCSPX-[\w\-]{28})"),
    _Shape("stripe key", ("k_live_", "k_test_"), _EDGE + r"[sr]k_(?:live|test)_[0-9a-zA-Z]{24,255}"),
    _Shape("npm token", ("npm_",), _EDGE + r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])"),
    _Shape("npm token", ("_authToken",), r"_authToken\s{0,3}=\s{0,3}[A-Za-z0-9\-+/=]{16,300}"),
    _Shape("pypi token", ("pypi-Ag",), _EDGE + r"pypi-Ag[A-Za-z0-9_\-]{50,300}"),
    _Shape("azure storage key", ("AccountKey=",), r"AccountKey=[A-Za-z0-9+/]{86}=="),
    _Shape("azure access key", ("SharedAccessKey=",), r"SharedAccessKey=[A-Za-z0-9+/]{42,43}="),
    _Shape("azure client secret", ("Q~",), r"(?<![\w~.\-])[\w~.\-]{3}\dQ~[\w~.\-]{31,34}(?![\w~.\-])"),
    _Shape("sendgrid api key", ("SG.",), _EDGE + r"SG\.[\w\-]{22}\.[\w\-]{43}"),
    _Shape("databricks token", ("dapi",), _EDGE + r"dapi[0-9a-f]{32}(?![0-9A-Za-z])"),
    _Shape("digitalocean token", ("dop_v1_", "dor_v1_", "doo_v1_"), _EDGE + r"do[opr]_v1_[0-9a-f]{64}"),
    _Shape("docker token", ("dckr_",), _EDGE + r"dckr_[po]at_[\w\-]{20,100}"),
    _Shape(
        "weights & biases api key",
        ("WANDB_API_KEY", "wandb"),
        r"(?:WANDB_API_KEY[\"']?\]?\s{0,5}[=:]\s{0,5}|wandb\.login\(\s{0,5}(?:key\s{0,5}=\s{0,5})?)[\"']?[0-9a-f]{40}",
    ),
    _Shape(
        "json web token",
        ("eyJ",),
        _BASE64_EDGE + r"eyJ[A-Za-z0-9_\-]{10,2000}\.eyJ[A-Za-z0-9_\-]{10,4000}\.[A-Za-z0-9_\-]{20,1000}",
    ),
)
_LITERALS = tuple((literal, shape.pattern) for shape in _SHAPES for literal in shape.literals)
_AWS_ID = _BASE64_EDGE + r"A(?:KIA|SIA)[A-Z2-7]{16}(?![A-Za-z0-9+/=])"
_AWS_LONG = r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
# The secret of an AWS pair stands close to its id, in either order: the lines around it are enough.
_AWS_NEAR = 300
# The example of jwt.io, in countless tests and READMEs.
_HARMLESS = ("SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "EXAMPLE", "example", "XXXX", "xxxx")


@functools.cache
def _byte_pattern(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


@functools.cache
def _text_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
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
    if (b"AKIA" in data or b"ASIA" in data) and any(True for _ in _aws_pairs(data)):
        return "aws access key"
    return None


def _is_placeholder(text: str) -> bool:
    return len(set(text[-32:])) < 8 or any(word in text for word in _HARMLESS)


def _aws_pairs(data: bytes) -> Iterator[str]:
    for match in _byte_pattern(_AWS_ID).finditer(data):
        near = data[max(0, match.start() - _AWS_NEAR) : match.end() + _AWS_NEAR]
        for secret in _byte_pattern(_AWS_LONG).findall(near):
            text = secret.decode("ascii")
            # Forty hex digits are a commit id; a secret mixes all three classes.
            mixed = text not in (text.upper(), text.lower()) and any(map(str.isdigit, text))
            if mixed and not _is_placeholder(text):
                yield text


# -- URLs ------------------------------------------------------------------------------------------------------------

_SCHEME = r"\s*(?:[A-Za-z][A-Za-z0-9+.\-]*:)*//"
# In the URL of a database or queue an "@" only ever ends the user info, so an unescaped "/" in a password is no riddle.
_DATABASES = r"(?i)(?:postgres|mysql|mariadb|mssql|oracle|mongodb|redis|amqp|cockroachdb|clickhouse|snowflake|jdbc)"
_SCP_LIKE = r"[^\s/\\?#]*@(?!(?:sha\d+|md5):)(?P<host>[^\s/\\@:\[\]]+|\[[\w:.%]*\])(?P<rest>:[\s\S]*)"
_BARE_LOGIN = r"(?!mailto:)[^\s/\\@:]+:[^\s/\\@]+@(?P<rest>(?=[\w\-]+[./]|localhost)[\w.\-]+(?:/[\s\S]*)?)"


def redact_url(url: str) -> str:
    """``url`` without user info, query and fragment, and with known token shapes in its path masked.

    Any scheme, ``user@host:path`` as scp and git write it, and ``user:password@host`` without a scheme. The user
    ``git`` of an ssh address stays, since the address does not work without it. What is no URL comes back unchanged.

    >>> redact_url("https://me:token@host/team/repo.git?ref=x#frag"), redact_url("git@host:team/repo")
    ('https://host/team/repo.git', 'git@host:team/repo')
    """
    scheme = _text_pattern(_SCHEME).match(url)
    if scheme:
        prefix, rest = scheme[0], url[scheme.end() :]
        if ":" not in prefix and "@" not in rest.partition("/")[0]:
            return url
        login, rest = _split_login(prefix, rest)
        if "jdbc:" in prefix:
            rest = rest.partition(";")[0]
        kept = "git@" if login.partition(":")[0] == "git" and "ssh" in prefix else ""
        return prefix + kept + _mask_tokens(_text_pattern("[?#]").split(rest, maxsplit=1)[0])
    match = _text_pattern(_SCP_LIKE).fullmatch(url)
    if match:
        return ("git@" if url.startswith("git@") else "") + match["host"] + _mask_tokens(match["rest"])
    bare = _text_pattern(_BARE_LOGIN).fullmatch(url)
    return _mask_tokens(bare["rest"]) if bare else url


def _split_login(prefix: str, rest: str) -> tuple[str, str]:
    """User info, and what follows its ``@``, of a URL whose scheme is cut off."""
    authority = _text_pattern(r"[/?#\\]").split(rest, maxsplit=1)[0]
    port = "" if authority.startswith("[") else authority.partition(":")[2]
    before_query = rest.partition("?")[0]
    if "@" in before_query and _text_pattern(_DATABASES).search(prefix):
        within = before_query
    elif "@" in authority:
        within = authority
    elif port and not port.isdecimal():
        # ``user:pa/ss@host``: what looks like the port is the beginning of a password that was not escaped.
        within = rest
    else:
        return "", rest
    end = within.rfind("@")
    return (rest[:end], rest[end + 1 :]) if end >= 0 else ("", rest)


# -- text ------------------------------------------------------------------------------------------------------------

_NAME = (
    r"(?:passw(?:or)?d|passphrase|pwd|secrets?|api[_\-]?key|(?:access|secret|private|account"
    r"|shared[_\-]?access|signing|encryption|auth)[_\-]?key|credentials?|authorization"
    r"|(?:access|auth|api|bearer|refresh|session|security|hf|hub|github|gh|gitlab|npm|pypi|slack|bot|wandb|user|deploy|job|"
    r"private|personal|oauth2?|registry|read|write)[_\-]?token|(?<![A-Za-z0-9_])(?<![A-Za-z0-9]-)token"
    r"|(?-i:[A-Z0-9]_(?:TOKEN|PASS|PAT))|(?:db|user|smtp)_pass)"
)
# The ends of those names, and what begins a bearer token, in lower case; and what follows where there is a value.
NAME_ENDS = (
    *("passwd", "password", "passphrase", "pwd", "secret", "secrets", "key", "credential", "credentials"),
    *("authorization", "token", "_pass", "_pat", "bearer"),
)
NAME_FOLLOWED = r"(?:[\"']?\]?\s{0,3}[=:]|\s)"
_ANY_NAME = f"(?:{'|'.join(NAME_ENDS)}){NAME_FOLLOWED}"
_VALUE = r"(?:\"[^\"\n]*\"|'[^'\n]*'|(?:Bearer|Basic|Token)\s[^\s,;&\"']+|[^\s,;&\"')\]}]+)"
# Neither a secret: nothing, a type, a variable, a placeholder; and PWD is also where a shell stands.
_HARMLESS_VALUE = (
    r"(?:(?:None|True|False|null|true|false|str|bytes|int|bool|Optional|SecretStr)\b|(?-i:\$\{?[A-Z][A-Z0-9_]*\}?)(?:\W|\Z)"
    r"|<[a-z_ |]+>|\{[\w.]*\}|\*{3})"
)
_ASSIGNMENT = (
    rf"(?!pwd[=:]/)(?P<name>{_NAME}[\"']?\]?\s{{0,3}}(?:=>|:=|==|[=:])\s{{0,3}})"
    rf"(?!{_HARMLESS_VALUE})(?P<value>{_VALUE})"
)
_FLAG = rf"(?P<name>(?<!\S)--?(?:[A-Za-z0-9]+[_\-]){{0,4}}{_NAME}\s{{1,3}})(?!-)(?P<value>{_VALUE})"
_BEARER = r"(?P<name>\bBearer\s{1,3})(?P<value>[A-Za-z0-9._~+/\-]{16,}=*)"
_PEM_BLOCK = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,60}-----|\Z)"
_URL_IN_TEXT = r"(?P<scheme>//)(?P<rest>[^\s\"'<>`]+)"


def is_secret_name(name: str) -> bool:
    """Whether a value of this name (an option, a variable, a param) is most likely a secret.

    >>> [is_secret_name(name) for name in ("--db-password", "HF_TOKEN", "max_tokens", "pad_token")]
    [True, True, False, False]
    """
    return bool(_text_pattern(rf"{_NAME}\Z", re.IGNORECASE).search(name[-200:]))


def redact_text(text: str) -> str:
    """``text`` with every secret it shows replaced by ``***``: tokens, keys, logins in URLs, ``password=…``.

    Meant for what people read: an element of a command line, a traceback, a line of a log.

    >>> redact_text("psql postgres://me:pw@host/db --password=hunter2")
    'psql postgres://***@host/db --password=***'
    """
    if "PRIVATE KEY" in text:
        text = _text_pattern(_PEM_BLOCK).sub(MASK, text)
    if "//" in text:
        text = _text_pattern(_URL_IN_TEXT).sub(_mask_url, text)
    text = _mask_tokens(text)
    # The search for whole names takes ten times as long: most texts hold no end of one.
    lower = text.lower()
    if any(end in lower for end in NAME_ENDS) and _text_pattern(_ANY_NAME).search(lower):
        for pattern in (_ASSIGNMENT, _FLAG, _BEARER):
            text = _text_pattern(pattern, re.IGNORECASE).sub(_mask_value, text)
    return text


def _mask_value(match: re.Match[str]) -> str:
    value = match["value"]
    quote = value[0] if value[0] in "\"'" and value != value[0] else ""
    if quote and len(value) == 2:
        return match[0]
    return f"{match['name']}{quote}{MASK}{quote}"


def _mask_url(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 24) : match.start()]
    if not before.endswith(":") and "@" not in match["rest"].partition("/")[0]:
        return match[0]
    scheme = _text_pattern(r"[A-Za-z][A-Za-z0-9+.\-:]*:\Z").search(before)
    login, rest = _split_login(scheme[0] if scheme else "", match["rest"])
    path, mark, tail = [*_text_pattern(r"([?#])").split(rest, maxsplit=1), "", ""][:3]
    # The fragment of a page is worth keeping; one with a value in it may be a token.
    shown = tail if mark == "#" and not set(tail) & set("=?") else MASK
    return match["scheme"] + (f"{MASK}@" if login else "") + path + mark + (shown if mark else "")


def _mask_tokens(text: str) -> str:
    for literal, pattern in _LITERALS:
        if literal in text:
            text = _text_pattern(pattern).sub(MASK, text)
    return text
