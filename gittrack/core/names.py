"""Names: what people may call things, and the file names in a run's tree that stand for them.

A metric or an artifact may be called almost anything; its file must live in git and on every file system. Each part
between slashes is encoded by itself (``docs/format.md``): ASCII letters, digits, blanks and ``._-=+,()@`` stay, every
other byte of its UTF-8 becomes ``%XX``, and so do characters that would mislead somebody (a leading dot, a trailing
``.csv``, the first letter of ``nul``). Since everything beyond ASCII is encoded, a name in NFC and the same name in NFD
are two names with two files, on every system. The encoding is reversible, except for parts so long that they are cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from gittrack.errors import InvalidNameError

MAX_NAME_BYTES = 1000
"""Longest name of a metric, a param or a tag, in bytes of UTF-8 (MLflow's 250 characters always fit)."""
MAX_TITLE_LENGTH = 250
"""Longest name of a run or an experiment, in characters."""
MAX_PATH_BYTES = 4000
"""Longest path of an artifact, in bytes of UTF-8."""
MAX_COMPONENT_BYTES = 150
"""Longest encoded part of a path; a longer one is cut and ends in ``~`` and 32 hex digits of its SHA-256."""
MAX_COMPONENTS = 15
"""Deepest path; in a deeper name the slashes beyond are encoded too (``%2F``). Readers take trees of 16 levels."""

METRICS_FOLDER = "metrics"
ARTIFACTS_FOLDER = "artifacts"

_SHORTEST_CREDENTIAL = 16

_ENCODED = re.compile(rb"[^A-Za-z0-9._\-=+,()@ ]")
_ESCAPE = re.compile(rb"%([0-9A-F]{2})")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]) *(?:\.|\Z)", re.IGNORECASE)
_DVC_NAME = re.compile(r"(?:\.dvc|\Advc\.yaml|\Advc\.lock)\Z", re.IGNORECASE)
_GITS_OWN = re.compile(r"(?:\A|/)(?:\.git|git~1)[ .]*(?:/|\Z)", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")


# -- what people may call things -------------------------------------------------------------------------------------
#
# Each check returns the name as it is kept: a credential of a known shape in it is masked. Callers say so.


def check_metric_name(name: str) -> str:
    """``name`` as it names a metric: any text of 1 to 1,000 bytes; raises InvalidNameError otherwise."""
    return _check_key("a metric", name)


def check_param_name(name: str) -> str:
    """``name`` as it names a param: any text of 1 to 1,000 bytes; raises InvalidNameError otherwise."""
    return _check_key("a param", name)


def check_tag_key(key: str) -> str:
    """``key`` as it names a tag: any text of 1 to 1,000 bytes; raises InvalidNameError otherwise."""
    return _check_key("a tag", key)


def check_run_name(name: str) -> str:
    """``name`` as it names a run: 1 to 250 characters on one line; raises InvalidNameError otherwise."""
    return _check_title("a run", name)


def check_experiment_name(name: str) -> str:
    """``name`` as it names an experiment: 1 to 250 characters on one line; raises InvalidNameError otherwise."""
    return _check_title("an experiment", name)


def _check_key(kind: str, name: str) -> str:
    if not isinstance(name, str):
        raise InvalidNameError(f"the name of {kind} must be a string, not {type(name).__name__}")
    if not name:
        raise InvalidNameError(f"the name of {kind} is empty")
    if len(_utf8(kind, name)) > MAX_NAME_BYTES:
        raise InvalidNameError(f"the name of {kind} is longer than {MAX_NAME_BYTES} bytes: '{display(name, 40)}'")
    return _without_credentials(name)


def _check_title(kind: str, name: str) -> str:
    if not isinstance(name, str):
        raise InvalidNameError(f"the name of {kind} must be a string, not {type(name).__name__}")
    if not name.strip():
        raise InvalidNameError(f"the name of {kind} is empty")
    _utf8(kind, name)
    if len(name) > MAX_TITLE_LENGTH:
        raise InvalidNameError(
            f"the name of {kind} is longer than {MAX_TITLE_LENGTH} characters: '{display(name, 40)}'"
        )
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in name):
        raise InvalidNameError(f"the name of {kind} holds a control character: '{display(name, 80)}'")
    return _without_credentials(name)


def _without_credentials(name: str) -> str:
    if len(name) < _SHORTEST_CREDENTIAL:
        return name
    from gittrack.core.credentials import mask_name  # most programs give short names only

    return mask_name(name)


def _utf8(kind: str, name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        # What surrogateescape makes of bytes in another encoding, say in a file name.
        raise InvalidNameError(f"the name of {kind} is not valid Unicode: '{display(name, 80)}'") from error


def check_artifact_path(path: str) -> str:
    """``path`` as an artifact is kept under: in its plain form (:func:`plain_artifact_path`), without credentials.

    Raises:
        InvalidNameError: it has no plain form, or would lie in ``.git`` where somebody downloads it.
    """
    plain = plain_artifact_path(path)
    if _GITS_OWN.search(plain):
        raise InvalidNameError(f"the path of an artifact must not lie in '.git': '{display(path, 80)}'")
    return _without_credentials(plain)


def plain_artifact_path(path: str) -> str:
    """``path`` as artifacts are known by: relative, ``/`` between parts, no ``.`` or empty part.

    A backslash counts as a separator, since it is one wherever somebody on Windows downloads the artifact.

    Raises:
        InvalidNameError: empty, absolute, with ``..``, NUL or a lone surrogate, or longer than 4,000 bytes.

    >>> plain_artifact_path("plots//./roc.png")
    'plots/roc.png'
    """
    if not isinstance(path, str):
        raise InvalidNameError(f"the path of an artifact must be a string, not {type(path).__name__}")
    if len(_utf8("an artifact", path)) > MAX_PATH_BYTES:
        raise InvalidNameError(f"the path of an artifact is longer than {MAX_PATH_BYTES} bytes: '{display(path, 40)}'")
    shown = display(path, 80)
    slashed = path.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        raise InvalidNameError(f"the path of an artifact must be relative: '{shown}'")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidNameError(f"the path of an artifact must not leave its folder: '{shown}'")
    if "\0" in slashed:
        raise InvalidNameError(f"the path of an artifact holds NUL: '{shown}'")
    if not parts:
        raise InvalidNameError(f"the path of an artifact is empty: '{shown}'")
    return "/".join(parts)


# -- one part of a path ----------------------------------------------------------------------------------------------


def encode_component(text: str, *, capitals: bool = False, suffix: str = "") -> str:
    """One part of a path as a file name that is safe in git and on every file system.

    Args:
        text: the part; a slash in it is encoded. The empty part becomes ``%``.
        capitals: encode capitals too, for parts that differ from a sibling in the case of ASCII letters only.
        suffix: what files get at their end, lower case with its dot, so that no folder may end in it.

    >>> encode_component("lr=0.1 (b)"), encode_component(".git"), encode_component("nul"), encode_component("é")
    ('lr=0.1 (b)', '%2Egit', '%6Eul', '%C3%A9')
    """
    encoded = _ENCODED.sub(_escape, _utf8("a file", text)).decode()
    if capitals:
        encoded = re.sub(r"(%..)|([A-Z])", lambda match: match[1] or f"%{ord(match[2]):02X}", encoded)
    if encoded.startswith((".", " ")) or _DEVICE.match(encoded):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    if encoded.endswith((".", " ")):
        encoded = f"{encoded[:-1]}%{ord(encoded[-1]):02X}"  # Windows drops it
    if _DVC_NAME.search(encoded) or (suffix and encoded.casefold().endswith(suffix)):
        head, _, extension = encoded.rpartition(".")
        encoded = f"{head}%2E{extension}"
    return _cut(encoded, text) if len(encoded) > MAX_COMPONENT_BYTES else encoded or "%"


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]


def _cut(encoded: str, text: str) -> str:
    import hashlib  # loads OpenSSL: not where nothing is hashed

    kept = encoded[: MAX_COMPONENT_BYTES - 33]
    if "%" in kept[-2:]:
        kept = kept[: kept.rindex("%")]
    return f"{kept}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def decode_component(encoded: str) -> str:
    """The part of a name that :func:`encode_component` made ``encoded`` of.

    Raises:
        InvalidNameError: it was cut, or it is none of ours.

    >>> decode_component("100 %25")
    '100 %'
    """
    # A "%" at the end adds nothing: it stands for the empty part, or tells a file from the folder of the same name.
    try:
        raw = encoded.removesuffix("%").encode("ascii")
        literal = _ESCAPE.sub(b"", raw)
        if _ENCODED.search(literal):
            raise InvalidNameError(f"'{display(encoded, 80)}' is not an encoded name")
        return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw).decode()
    except UnicodeError as error:
        raise InvalidNameError(f"'{display(encoded, 80)}' is not an encoded name") from error


# -- sets of names ---------------------------------------------------------------------------------------------------


def metric_path(name: str) -> str:
    """Where the points of a metric lie in a run's tree, when no other metric's name is the same but for case.

    >>> metric_path("train/loss")
    'metrics/train/loss.csv'
    """
    return metric_paths((name,))[name]


def metric_paths(names: Iterable[str]) -> dict[str, str]:
    """Where each metric's points lie in a run's tree: metric name -> path.

    A function of the set of names: their order does not matter. Paths are unique even where case is ignored.

    >>> metric_paths(["Loss", "loss", "loss/train"])
    {'Loss': 'metrics/%4Coss.csv', 'loss': 'metrics/loss.csv', 'loss/train': 'metrics/loss/train.csv'}
    """
    return {name: f"{METRICS_FOLDER}/{path}.csv" for name, path in _paths(names, ".csv").items()}


def artifact_paths(names: Iterable[str]) -> dict[str, str]:
    """Where each artifact lies in a run's tree: its path as the user gave it -> path under ``artifacts/``.

    A function of the set of paths, as :func:`check_artifact_path` returns them. An artifact that is also the folder of
    another (``a`` and ``a/b``) gets a ``%`` at its end.

    >>> artifact_paths(["a", "a/b", "data.dvc"])
    {'a': 'artifacts/a%', 'a/b': 'artifacts/a/b', 'data.dvc': 'artifacts/data%2Edvc'}
    """
    listed = list(names)
    folders = {"/".join(parts[:end]) for parts in map(_components, listed) for end in range(1, len(parts))}
    paths = _paths(listed, ".dvc")
    return {name: f"{ARTIFACTS_FOLDER}/{path}{'%' if name in folders else ''}" for name, path in paths.items()}


_Parts = tuple[str, ...]


def _components(name: str) -> _Parts:
    return tuple(name.split("/", MAX_COMPONENTS - 1))


def _paths(names: Iterable[str], suffix: str) -> dict[str, str]:
    """Each name's parts, encoded beside their siblings."""
    split = {name: _components(name) for name in names}
    siblings: dict[_Parts, dict[str, None]] = {}
    for parts in split.values():
        for depth, part in enumerate(parts):
            siblings.setdefault(parts[:depth], {})[part] = None
    encoded = {folder: _siblings_apart(parts, suffix) for folder, parts in siblings.items()}
    return {
        name: "/".join(encoded[parts[:depth]][part] for depth, part in enumerate(parts))
        for name, parts in split.items()
    }


def _siblings_apart(parts: Iterable[str], suffix: str) -> dict[str, str]:
    """The parts of names in one folder, encoded so that they differ even where case is ignored."""
    lower = {part: _utf8("a file", part).lower() for part in parts}  # of bytes: ASCII only, the rest is encoded anyway
    count = Counter(lower.values())
    return {part: encode_component(part, capitals=count[lower[part]] > 1, suffix=suffix) for part in lower}


# -- shown to people -------------------------------------------------------------------------------------------------

_SHORT_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def display(text: str, width: int | None = None) -> str:
    """``text`` as it may be printed on a terminal, whoever wrote it.

    Control, format and bidirectional characters, and what Unicode has not assigned, are shown as escapes.

    Args:
        text: any text, lone surrogates included.
        width: cut to this many terminal cells, the last one ``…``; None: not cut.

    >>> display("loss\\x1b[31m"), display("a long name", 6)
    ('loss\\\\x1b[31m', 'a lon…')
    """
    # Whoever sends megabytes does not make us look at them.
    shown = text if width is None else text[: max(width, 0) * 8 + 8]
    whole = len(shown) == len(text)
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else _shown(char) for char in shown)
    if width is None or (whole and cell_width(shown) <= width):
        return shown
    end, cells = 0, 0
    for end, char in enumerate(shown):  # noqa: B007  the loop ends where the text is cut
        cells += cell_width(char)
        if cells >= width:
            break
    return shown[:end] + "…" if width > 0 else ""


def one_line(text: str) -> str:
    """``text`` as one line of a commit message, whoever wrote it.

    Git refuses NUL there, a blank line would end the block, and an escape sequence would reach terminals.

    >>> one_line("a\\n\\n\\x1b[31mb")
    'a \\\\x1b[31mb'
    """
    return display(" ".join(text.split()))


def _shown(char: str) -> str:
    if unicodedata.category(char) == "Zs":
        return char
    code = ord(char)
    wide = f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT_ESCAPES.get(char) or (f"\\x{code:02x}" if code < 0x100 else wide)


def cell_width(text: str) -> int:
    """Terminal cells that ``text`` takes: two for a wide East Asian character or emoji, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


_ADJECTIVES = (
    "agile amber ample apt azure bold brave bright brisk calm candid clear clever cosy crisp daring deft eager "
    "early even fair fleet fond frank fresh gentle glad golden grand happy hardy humble jolly keen kind lively "
    "loyal lucid lucky mellow merry mild neat nimble noble patient placid polite proud quick quiet ready robust "
    "serene sharp silver smooth steady sunny swift tidy vivid warm wise"
)
_ANIMALS = (
    "badger beaver bison bobcat camel caribou cheetah condor cougar coyote crane cuckoo curlew dingo dolphin eagle "
    "egret falcon ferret finch gazelle gecko gibbon grouse hare heron ibex ibis jackal jaguar kestrel kiwi koala "
    "lemur leopard linnet lynx magpie marmot marten merlin mole moose newt ocelot oriole osprey otter panda pelican "
    "plover puffin quail rabbit raven robin salmon seal sparrow stork swan tapir thrush wren"
)


def make_name(random: bytes) -> str:
    """A made-up run name such as ``brisk-otter-417``.

    Args:
        random: at least 4 bytes; the same bytes give the same name, of 3.7 million.

    >>> make_name(b"\\x00\\x01\\x00\\x02")
    'agile-beaver-102'
    """
    adjectives, animals = _ADJECTIVES.split(), _ANIMALS.split()
    number = 100 + int.from_bytes(random[2:4], "big") % 900
    return f"{adjectives[random[0] % len(adjectives)]}-{animals[random[1] % len(animals)]}-{number}"
