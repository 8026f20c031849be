"""Shells and completion: their scripts, how they say what is typed, how they are answered.

Every script calls ``gittrack completion --answer SHELL``. The first line of the answer is ``files``, ``open`` (no blank
behind a word), ``words``, or ``ids`` (words that may begin otherwise than what is typed); each other line is a word,
for zsh and fish with a tab and what it is. No script evaluates what it is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from gittrack.cli.completion import Offer
from gittrack.frozen import dataclass

Shell = Literal["bash", "zsh", "fish"]
SHELLS: tuple[Shell, ...] = get_args(Shell)

_BASH = """\
# Completion of gittrack, and of `git track`, for bash.
_gittrack() {
    local kind line
    COMPREPLY=()
    {
        IFS= read -r kind
        while IFS= read -r line; do COMPREPLY+=("$line"); done
    } < <(command gittrack completion --answer bash -- "$COMP_WORDBREAKS" "${COMP_LINE:0:$COMP_POINT}" 2>/dev/null)
    if [[ $kind == files ]]; then
        compopt -o default -o filenames +o nospace 2>/dev/null
    fi
    return 0
}
_git_track() { _gittrack; }
complete -o nosort -o nospace -F _gittrack gittrack 2>/dev/null || complete -o nospace -F _gittrack gittrack
"""
_ZSH = """\
#compdef gittrack
# Completion of gittrack, and of `git track`, for zsh.
_gittrack() {
    local -a before answer values shown
    local kind line tab=$'\\t'
    before=("${(@Q)words[1,CURRENT-1]}")
    answer=("${(@f)$(command gittrack completion --answer zsh -- "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$answer[1]
    shift answer
    if [[ $kind == files ]]; then
        _files
        return
    fi
    for line in "${answer[@]}"; do
        [[ -n $line ]] || continue
        values+=("${line%%$tab*}")
        if [[ $line == *$tab?* ]]; then
            shown+=("${line%%$tab*}  -- ${line#*$tab}")
        else
            shown+=("${line%%$tab*}")
        fi
    done
    (( $#values )) || return 1
    if [[ $kind == ids ]]; then
        compadd -U -V gittrack -l -d shown -a values
        (( $#values > 1 )) && compstate[insert]=menu
    elif [[ $kind == open ]]; then
        compadd -V gittrack -S '' -l -d shown -a values
    else
        compadd -V gittrack -l -d shown -a values
    fi
}
_git-track() { _gittrack; }
zstyle ':completion:*:*:git:*' user-commands track:'experiment tracking in git'
if [[ $funcstack[1] == _gittrack ]]; then
    _gittrack "$@"
else
    compdef _gittrack gittrack
fi
"""
_FISH = """\
# Completion of gittrack, and of `git track`, for fish.
function __gittrack_answer
    set -l before (commandline -opc)
    set -l answer (command gittrack completion --answer fish -- $before (commandline -ct) 2>/dev/null)
    if test "$answer[1]" = files
        __fish_complete_path (commandline -ct)
    else if set -q answer[2]
        printf '%s\\n' $answer[2..-1]
    end
end
complete -c gittrack -f -k -a '(__gittrack_answer)'
complete -c git -n '__fish_seen_subcommand_from track' -f -k -a '(__gittrack_answer)'
"""
SCRIPTS: dict[Shell, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
INSTALL: dict[Shell, str] = {
    "bash": "echo 'eval \"$(gittrack completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(gittrack completion zsh)\"' >> ~/.zshrc    # below the line with compinit",
    "fish": "gittrack completion fish > ~/.config/fish/completions/gittrack.fish",
}
"""What makes it last."""


_KEPT_BREAKS = "@$"
"""What readline keeps with the word that it begins (``rl_special_prefixes``)."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line up to the cursor.

    Attributes:
        before: the words before the last one, without quotes.
        raw: the last one as it stands there, without the quote that opens it.
        word: what it means.
        quote: the quote that is open, or ``""``.
    """

    before: tuple[str, ...]
    raw: str
    word: str
    quote: str = ""


def read_line(line: str) -> Typed:
    """The words of a line as bash would read them, the last one as far as it is typed.

    >>> read_line('gittrack ls "metrics.a')
    Typed(before=('gittrack', 'ls'), raw='metrics.a', word='metrics.a', quote='"')
    """
    words: list[str] = []
    word, raw, quote = "", "", ""
    begun, escaped = False, False
    for char in line:
        if escaped:
            word += char if quote != '"' or char in '$`"\\' else "\\" + char
            raw, escaped = raw + char, False
        elif char == "\\" and quote != "'":
            raw, escaped, begun = raw + char, True, True
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
            raw += char
        elif char in "'\"":
            quote, begun, raw = char, True, raw + char
        elif char in " \t":
            if begun:
                words.append(word)
            word, raw, begun = "", "", False
        else:
            word, raw, begun = word + char, raw + char, True
    if quote and raw.startswith(quote):
        raw = raw[1:]
    return Typed(tuple(words), raw, word, quote)


def after_program(words: Sequence[str]) -> list[str]:
    """The words behind the program, ``gittrack`` or ``git … track``."""
    names = [word.rpartition("/")[2] for word in words]
    if names and names[0] == "git" and "track" in names:
        return list(words[names.index("track") + 1 :])
    return list(words[1:])


def bash_lines(typed: Typed, breaks: str, found: Offer) -> list[str]:
    """The answer to bash, which puts a word in place of what stands behind the last character of ``breaks``.

    Args:
        typed: the line.
        breaks: ``COMP_WORDBREAKS``.
        found: what could stand there.
    """
    if found.files:
        return ["files"]
    if not typed.quote and ("'" in typed.raw or '"' in typed.raw):  # quoted in parts: bash cuts it by rules of its own
        return ["words"]
    if typed.quote and typed.quote in typed.raw:
        return ["words"]
    cut = 0 if typed.quote else _after_break(typed.raw, breaks)
    if found.instead and not cut and typed.raw == typed.word:
        return ["words", *_ids_in_place(typed, [word for word, _ in (*found.words, *found.instead)])]
    words = [typed.raw[cut:] + word[len(typed.word) :] for word, _ in found.words]
    if found.goes_on and typed.quote and len(words) == 1 and words[0].endswith("."):
        words = []  # nothing is known that could follow
    elif found.goes_on and typed.quote and len(words) == 1:
        # A single word would close the quote; what can follow keeps it open.
        words = [f"{words[0]} {operator}" for operator in ("=", "<", ">")]
    elif not found.goes_on and not typed.quote:
        words = [f"{word} " for word in words]
    return ["open" if found.goes_on else "words", *words]


def _ids_in_place(typed: Typed, words: Sequence[str]) -> list[str]:
    """Words that do not all begin with what is typed. Bash puts what they begin with alike in its place."""
    if len(words) == 1:
        return [words[0] if typed.quote else f"{words[0]} "]
    if len({word[:1] for word in (*words, typed.word)}) == 1:
        return []  # it would be cut to one letter
    return list(dict.fromkeys((typed.word, *words)))


def _after_break(raw: str, breaks: str) -> int:
    """Where what bash replaces begins."""
    place = 0
    for number, char in enumerate(raw):
        if char in breaks and (not number or raw[number - 1] != "\\"):
            place = number if char in _KEPT_BREAKS else number + 1
    return place


def described_lines(found: Offer) -> list[str]:
    """The answer to zsh and fish."""
    if found.files:
        return ["files"]
    lines = [f"{word}\t{about}" if about else word for word, about in (*found.words, *found.instead)]
    return ["ids" if found.instead else "open" if found.goes_on else "words", *lines]
