"""Secrets masked in URLs and in text before anything is recorded.

Text that people and programs write (commands, notes, output, tracebacks) is masked by what has the shape of a
credential (:mod:`gittrack.core.credentials`), and by the names that values stand beside: ``password=…``.

Time is linear on hostile input: repetitions are bounded, cannot overlap or give nothing back.
"""

from __future__ import annotations

import functools
import re

from gittrack.core.credentials import MASK, find_secret, is_secret_path, mask_credentials, text_pattern

__all__ = ["MASK", "find_secret", "is_secret_name", "is_secret_path", "opens", "redact_text", "redact_url"]

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
    scheme = text_pattern(_SCHEME).match(url)
    if scheme:
        prefix, rest = scheme[0], url[scheme.end() :]
        if ":" not in prefix and "@" not in rest.partition("/")[0]:
            return url
        login, rest = _split_login(prefix, rest)
        if "jdbc:" in prefix:
            rest = rest.partition(";")[0]
        kept = "git@" if login.partition(":")[0] == "git" and "ssh" in prefix else ""
        return prefix + kept + mask_credentials(text_pattern("[?#]").split(rest, maxsplit=1)[0])
    match = text_pattern(_SCP_LIKE).fullmatch(url)
    if match:
        return ("git@" if url.startswith("git@") else "") + match["host"] + mask_credentials(match["rest"])
    bare = text_pattern(_BARE_LOGIN).fullmatch(url)
    return mask_credentials(bare["rest"]) if bare else url


def _split_login(prefix: str, rest: str) -> tuple[str, str]:
    """User info, and what follows its ``@``, of a URL whose scheme is cut off."""
    authority = text_pattern(r"[/?#\\]").split(rest, maxsplit=1)[0]
    port = "" if authority.startswith("[") else authority.partition(":")[2]
    before_query = rest.partition("?")[0]
    if "@" in before_query and text_pattern(_DATABASES).search(prefix):
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


_QUERY_FIELD = r"[?&#;]([^=?&#;\s]{1,100})="
_FIELD_WORDS = frozenset(
    (
        *("sig", "signature", "token", "key", "apikey", "credential", "jwt", "hmac", "session", "pass"),
        *("auth", "bearer", "cookie", "passcode", "pat", "pw", "sas", "ticket"),
    )
)


def opens(url: str) -> bool:
    """Whether a URL logs in, or its query or fragment has a value that signs or opens something.

    >>> opens("https://host/?page=2"), opens("https://host/?X-Amz-Signature=0a1b"), opens("https://me:pw@host/")
    (False, True, True)
    """
    return "@" in url or _has_secret_field(url)


def _has_secret_field(tail: str) -> bool:
    return "=" in tail and any(map(_is_secret_field, text_pattern(_QUERY_FIELD).findall(tail)))


@functools.lru_cache(maxsize=256)
def _is_secret_field(name: str) -> bool:
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower())
    return not _FIELD_WORDS.isdisjoint(words) or words == ["code"] or is_secret_name(name)


# -- text ------------------------------------------------------------------------------------------------------------

_NAME = (
    r"(?:passw(?:or)?d|passphrase|pwd|secrets?|api[_\-]?key|(?:access|secret|private|account"
    r"|shared[_\-]?access|signing|encryption|auth)[_\-]?key|credentials?|authorization"
    r"|(?:access|auth|api|bearer|refresh|session|security|hf|hub|github|gh|gitlab|npm|pypi|slack|bot|wandb|user|deploy|job|"
    r"private|personal|oauth2?|registry|read|write)[_\-]?token|(?<![A-Za-z0-9_])(?<![A-Za-z0-9]-)token"
    r"|(?-i:[A-Z0-9]_(?:TOKEN|PASS|PAT))|(?:db|user|smtp)_pass)(?:_base|_value)?"
)
# The ends of those names, and what begins a bearer token, in lower case; and what follows where there is a value.
NAME_ENDS = (
    *("passwd", "password", "passphrase", "pwd", "secret", "secrets", "key", "credential", "credentials"),
    *("authorization", "token", "_pass", "_pat", "_base", "_value", "bearer"),
)
NAME_FOLLOWED = r"[\s=:\"'\\\]%\x1b]"
_NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_LONGEST_NAME = 48

_GAP = r"(?:[^\S\r\n]|\x1b\[[0-9;]{0,12}m){0,6}"
# ``password: str = "…"``, and what a value is wrapped into: ``SecretStr('…')``, ``b'…'``.
_WRAPPING = (
    r"(?:(?:str|bytes|SecretStr)(?: \| None)? = )?"
    r"(?:(?:SecretStr|SecretBytes|Secret|str|bytes|repr|quote)\(|[bru]{1,2}(?=[\"']))?"
)
_BARE = r"(?:[^\s,;&\"')\]}\x1b\\]++|\\++(?![\"'])|(?<=\w)'(?=\w))"
_VALUE = (
    r"(?P<value>(?P<long>\"\"\"|''')[^\n]*?(?:(?P=long)|(?=\n)|\Z)"
    r"|\"(?:[^\"\\\n]|\\[^\n]?)*+\"?|'(?:[^'\\\n]|\\[^\n]?)*+'?"
    # JSON within JSON: the text ends at the quote that is escaped as its first one is.
    r"|(?P<escapes>\\{1,7}+)(?P<quote>[\"'])"
    r"(?:[^\\\"'\n]|\\++(?![\"'])|(?P=escapes)\\++[\"']|(?!(?P=quote))[\"'])*+(?:(?P=escapes)(?P=quote))?"
    rf"|(?:Bearer|Basic|Token)\s[^\s,;&\"']+|(?:\[[^\]\n]*+\]?|\{{[^}}\n]*+\}}?|\([^)\n]*+\)?){_BARE}*+|{_BARE}++)"
)
_ASSIGNED = rf"(?:\\{{0,7}}[\"']|%2[27])?\]?{_GAP}(?:=>|:=|==|[=:]|%3[AD]){_GAP}{_WRAPPING}{_VALUE}"
_GIVEN = rf"(?:[^\S\r\n]{{1,3}}|[\"'],[^\S\r\n]{{0,3}}(?=[\"']))(?!-){_VALUE}"
_BEARER = r"\s{1,3}(?P<value>[A-Za-z0-9._~+/\-]{16,}=*)"
_CURL_LOGIN = (
    r"(?P<name>(?<!\S)(?:-u\s{0,3}|--(?:proxy-)?user[\s=]\s{0,2})[\"']?[^\s:\"'$/]{0,200}:)(?P<value>[^\s\"']+)"
)
_CURL_BEFORE = 300
_PEM_BLOCK = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,60}-----|\Z)"
_URL_IN_TEXT = r"(?P<scheme>//)(?P<rest>[^\s\"'<>`]+)"

# No secrets: nothing, a type, a variable, a placeholder, a number of a few digits, a list of numbers, ``[CLS]``.
_HARMLESS_VALUE = (
    r"(?:None|True|False|null|true|false|yes|no|ok|str|bytes|int|bool|Optional(?:\[.*)?|SecretStr"
    r"|\$\{?[A-Z][A-Z0-9_]*\}?|<[a-z_ |]+>|\{[\w.]*\}|\*{3}|\[[\s\d.,+\-]*\]|\[[A-Z]{2,8}\]"
    r"|[+\-]?\d{1,4}(?:\.\d{0,20}(?:e[+\-]?\d{1,3})?|e[+\-]?\d{1,3})%?)[`.]?"
)
_FEW_DIGITS = r"[+\-]?\d{1,6}"
# Beside ``token`` alone a language model's logs have words and pieces of words; a token to log in with has digits.
_WORD_OF_A_MODEL = (
    r".{0,4}|[ _]?(?:##)?(?:[A-Za-z\x80-\U0010ffff]|\\u[0-9A-Fa-f]{4}){1,12}[^\sA-Za-z0-9]{0,4}|<[\w/| ]{1,30}>"
)
_PATH = r"[/~.]|[A-Za-z]:[\\/]"


def is_secret_name(name: str) -> bool:
    """Whether a value of this name (an option, a variable, a param) is most likely a secret.

    >>> [is_secret_name(name) for name in ("--db-password", "HF_TOKEN", "max_tokens", "pad_token")]
    [True, True, False, False]
    """
    return _ends_as_secret(name[-200:])


@functools.lru_cache(maxsize=1024)  # the lines of a log repeat their names
def _ends_as_secret(name: str) -> bool:
    return bool(text_pattern(rf"{_NAME}\Z", re.IGNORECASE).search(name))


def redact_text(text: str) -> str:
    """``text`` with every secret it shows replaced by ``***``: tokens, keys, logins in URLs, ``password=…``.

    Meant for what people read: an element of a command line, a traceback, a line of a log.

    >>> redact_text("psql postgres://me:pw@host/db --password=hunter2")
    'psql postgres://***@host/db --password=***'
    """
    if "PRIVATE KEY" in text:
        text = text_pattern(_PEM_BLOCK).sub(MASK, text)
    if "//" in text:
        text = text_pattern(_URL_IN_TEXT).sub(_mask_url, text)
    text = _mask_named(mask_credentials(text))
    return text_pattern(_CURL_LOGIN).sub(_mask_login, text) if "curl" in text else text


def _mask_named(text: str) -> str:
    """The values that stand beside names of secrets."""
    ends = _name_ends(text)
    if not ends:
        return text
    parts: list[str] = []
    done = 0
    for start, end in ends:
        if start < done:
            continue  # within a value
        name = _name_before(text, end)
        match = _value_after(text, name, end)
        if match is None:
            continue
        masked = match["value"] if _is_harmless(name, match["value"]) else _masked_value(match["value"])
        parts += text[done : match.start("value")], masked
        done = match.end("value")
    return "".join((*parts, text[done:]))


def _name_ends(text: str) -> list[tuple[int, int]]:
    """Where names may end that a value follows: by fixed words, as a search for whole names takes far longer."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text.replace("\u0130", "I").lower()  # the one letter that becomes two
    found = [
        (match.start(), match.end() - 1)
        for word in NAME_ENDS
        if word in lower
        for match in text_pattern(word + NAME_FOLLOWED).finditer(lower)
    ]
    return sorted(found)


def _name_before(text: str, end: int) -> str:
    before = text[max(0, end - _LONGEST_NAME) : end]
    rest = before.rstrip(_NAME_CHARACTERS)
    name = before[len(rest) :]
    # A colour code, an escaped line feed and a "%22" end in letters or digits that belong to no name.
    if rest.endswith("\\") and name[0] in "nrt":
        return name[1:]
    if rest.endswith("%"):
        return name[2:]
    if "\x1b[" in rest:
        return text_pattern(r".*\x1b\[[0-9;]{0,12}m", re.DOTALL).sub("", before) if _ends_in_colour(rest) else name
    return name


def _ends_in_colour(text: str) -> bool:
    return not text[text.rindex("\x1b[") + 2 :].strip("0123456789;")


def _value_after(text: str, name: str, end: int) -> re.Match[str] | None:
    if name[-6:].lower() == "bearer":
        return text_pattern(_BEARER).match(text, end) if len(name) == 6 else None
    if not is_secret_name(name):
        return None
    match = text_pattern(_ASSIGNED, re.IGNORECASE).match(text, end)
    if match is None and name.startswith("-") and text[max(0, end - len(name) - 1)] in " \t\n-\"'[(=":
        match = text_pattern(_GIVEN, re.IGNORECASE).match(text, end)
    return match


def _is_harmless(name: str, value: str) -> bool:
    if text_pattern(_HARMLESS_VALUE).fullmatch(value):
        return True
    if name in ("token", "Token") and len(value) < 64:
        inner = text_pattern(r"\A\\*[\"']|\\*[\"']\Z").sub("", value)
        return bool(text_pattern(rf"{_FEW_DIGITS}|{_WORD_OF_A_MODEL}", re.DOTALL).fullmatch(inner))
    if name[-3:].lower() == "pwd":  # more often where a shell stands
        return bool(text_pattern(_PATH).match(value.lstrip("\"'\\")))
    return "pass" not in name.lower() and bool(text_pattern(_FEW_DIGITS).fullmatch(value))


def _masked_value(value: str) -> str:
    opening = text_pattern(r"\"\"\"|'''|\\*[\"']|[\[({]?").match(value)
    begin = opening[0] if opening else ""
    end = {"[": "]", "(": ")", "{": "}"}.get(begin, begin)
    closed = begin and len(value) >= len(begin) + len(end) and value.endswith(end)
    if closed and len(value) == len(begin) + len(end):
        return value
    return f"{begin}{MASK}{end if closed else ''}"


def _mask_login(match: re.Match[str]) -> str:
    """``curl -u me:…``; to other programs ``-u`` means other things."""
    if "curl" not in match.string[max(0, match.start() - _CURL_BEFORE) : match.start()]:
        return match[0]
    return match["name"] + MASK


def _mask_url(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 24) : match.start()]
    if not before.endswith(":") and "@" not in match["rest"].partition("/")[0]:
        return match[0]
    scheme = text_pattern(r"[A-Za-z][A-Za-z0-9+.\-:]*:\Z").search(before)
    login, rest = _split_login(scheme[0] if scheme else "", match["rest"])
    path, mark, tail = [*text_pattern(r"([?#])").split(rest, maxsplit=1), "", ""][:3]
    shown = MASK if _has_secret_field(mark + tail) else tail
    return match["scheme"] + (f"{MASK}@" if login else "") + path + mark + shown
