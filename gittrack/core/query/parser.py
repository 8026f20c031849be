"""Queries parsed: recursive descent over the words, by precedence.

::

    condition  = condition "or" condition | condition "and" condition | "not" condition | "(" condition ")" | test
    test       = side operator side | side ["not"] ("in" "(" literal, … ")" | "between" side "and" side)
               | field ["not"] ("like" | "ilike" | "matches" | "~" | "!~") text | field "is" ["not"] ("null" | "nan")
               | "has" "artifact" text | "text" "(" text ")" | "code.changed" "(" text ["," text] ")"
    side       = field | literal | side ("+" | "-" | "*" | "/") side | "-" side | "(" side ")"

``or`` binds least, then ``and``, ``not``, tests, sums, products.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from gittrack.core.names import display
from gittrack.core.query import conditions as tests
from gittrack.core.query import mistakes
from gittrack.core.query.fields import SCOPES, SUMMARY, UnknownNameError, find_field, is_several, kind_of
from gittrack.core.query.moments import parse_duration
from gittrack.core.query.operands import Side, SideError, calculate, negated
from gittrack.core.query.token_reader import TokenReader
from gittrack.core.query.tokens import Token
from gittrack.core.query.tree import EVERYTHING, AllOf, AnyOf, ArithmeticOperator, Constant, Expression, Field, Not
from gittrack.errors import QuerySyntaxError

MAX_DEPTH = 100
"""How deep parentheses, ``not`` and arithmetic may nest."""
MAX_CONDITIONS = 500
MAX_PATTERNS = 20
"""Regular expressions in one query: of all conditions they take longest."""
MAX_VALUES = 1000
"""Values of one ``in``."""

_OR, _AND, _NOT, _TEST, _SUM, _PRODUCT = range(1, 7)
_COMPARISONS = frozenset({"=", "==", "!=", "<>", "<", "<=", ">", ">="})
_TEST_WORDS = frozenset({"in", "like", "ilike", "rlike", "between", "matches", "is"})
_NEGATED = _TEST_WORDS - {"is"}
_KEYWORDS = _TEST_WORDS | {"and", "or", "not", "null"}
_VALUES: dict[str, bool | float] = {"true": True, "false": False, "inf": float("inf"), "nan": float("nan")}
_ARITHMETIC: dict[str, tuple[int, ArithmeticOperator]] = {
    "+": (_SUM, "+"),
    "-": (_SUM, "-"),
    "*": (_PRODUCT, "*"),
    "/": (_PRODUCT, "/"),
}


def parse_query(text: str, *, now: int, subjects: Collection[str] = ()) -> Expression:
    """The expression tree of a query.

    Args:
        text: in the language of ``docs/how-to/search.md``, a superset of MLflow's ``filter_string``; of a blank one
            every run is the answer.
        now: ms since the epoch, what ``-7d`` is counted from.
        subjects: names of other runs that fields may begin with, ``champion`` in ``champion.metrics.acc``.

    Raises:
        QuerySyntaxError: the text is no query; says where and why.

    >>> parse_query("metrics.acc > 0.9", now=0)
    Comparison(left=Field(scope='metrics', key='acc', part='last', subject=''), operator='>', right=Constant(value=0.9))
    """
    for subject in subjects:
        if subject.lower() in SCOPES or subject.lower() in (SUMMARY, "code"):
            raise ValueError(f"'{subject}' cannot name another run: it has a meaning in queries")
    parser = _Parser(text, now, subjects)
    if parser.token.kind == "end":
        return EVERYTHING
    try:
        return parser.whole()
    except SideError as error:
        raise error.in_query(text) from None


def parse_field(text: str, subjects: Collection[str] = ()) -> Field:
    """The one field that a text names, as in a query.

    Raises:
        QuerySyntaxError: it names none, or something follows.

    >>> parse_field("summary.loss.min")
    Field(scope='metrics', key='loss', part='min', subject='')
    """
    parser = _Parser(text, 0, subjects)
    field = parser.field()
    parser.expect_end("a field")
    return field


class _Condition(NamedTuple):
    """A part of the query that is true or false."""

    expression: Expression
    start: int
    end: int


_Part = Side | _Condition


class _Parser(TokenReader):
    """Recursive descent over the words of one query."""

    def __init__(self, query: str, now: int, subjects: Collection[str]) -> None:
        super().__init__(query)
        self.asked_at = now
        self.subjects = subjects
        self.conditions = 0
        self.patterns = 0

    # -- conditions ------------------------------------------------------------------------------------------------

    def whole(self) -> Expression:
        condition = self.condition(self.part(_OR, 0))
        if self.token.kind != "end":
            raise self.leftover("condition")
        return condition.expression

    def leftover(self, after: str) -> QuerySyntaxError:
        """The error that a word stands behind something whole."""
        before, token = self.tokens[self.index - 1], self.token
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        mistake = mistakes.leftover(before, token, following)
        return self.wrong(mistake.problem or f"{self.found()} stands after a whole {after}", hint=mistake.hint)

    def condition(self, part: _Part) -> _Condition:
        """``part``, which must be true or false."""
        if isinstance(part, _Condition):
            return part
        if isinstance(part.node, Field) and part.kind == "flag":
            return self.made(tests.comparison(part, "=", _flag(part), self.asked_at), part)
        shown = display(self.query[part.start : part.end], 40)
        raise self.wrong(
            f"'{shown}' is a value, not a condition" if shown else "a condition is missing",
            at=self.token.start,
            hint=f"compare it: {shown} = …, or {shown} is not null",
        )

    def made(self, expression: Expression, start: _Part | Token) -> _Condition:
        """A test that has been read, from ``start`` to here."""
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise self.wrong(f"the query has more than {MAX_CONDITIONS} conditions", at=start.start)
        return _Condition(expression, start.start, self.tokens[self.index - 1].end)

    def part(self, binding: int, depth: int) -> _Part:
        """What stands here, up to a word that binds less than ``binding``."""
        left = self.first(depth)
        while True:
            level, operator = self.infix()
            if level < binding or (level == _TEST and isinstance(left, _Condition)):
                return left
            if level <= _AND:
                self.index += 1
                left = self.joined(level, self.condition(left), self.condition(self.part(level + 1, depth)))
            elif level == _TEST:
                left = self.test(self.side(left), depth)
            else:
                self.index += 1
                right = self.side(self.part(level + 1, depth))
                left = calculate(self.side(left), _ARITHMETIC[operator][1], right)
                if left.depth > MAX_DEPTH:
                    raise self.wrong(f"more than {MAX_DEPTH} steps of arithmetic", at=right.start)

    def infix(self) -> tuple[int, str]:
        """How the next word binds two parts, 0 when it does not."""
        token = self.token
        if token.kind == "symbol":
            if token.text in _ARITHMETIC:
                return _ARITHMETIC[token.text][0], token.text
            return (_TEST if token.text in _COMPARISONS or token.text in ("~", "!~") else 0), token.text
        word = token.keyword
        if word in ("or", "and"):
            return (_OR if word == "or" else _AND), word
        negated_test = word == "not" and self.tokens[self.index + 1].keyword in _NEGATED
        return (_TEST if word in _TEST_WORDS or negated_test else 0), word

    def joined(self, level: int, left: _Condition, right: _Condition) -> _Condition:
        kind: type[AllOf | AnyOf] = AnyOf if level == _OR else AllOf
        parts: list[Expression] = []
        for each in (left.expression, right.expression):
            parts += each.parts if isinstance(each, kind) else (each,)
        return _Condition(kind(tuple(parts)), left.start, right.end)

    def side(self, part: _Part) -> Side:
        """``part``, which must be a value."""
        if isinstance(part, Side):
            return part
        raise self.wrong("a condition stands where a value is wanted", at=part.start)

    # -- what a part begins with -----------------------------------------------------------------------------------

    def first(self, depth: int) -> _Part:
        if depth > MAX_DEPTH:
            raise self.wrong(f"the query nests deeper than {MAX_DEPTH}")
        token = self.token
        if token.kind == "symbol":
            return self.first_symbol(token, depth)
        if token.keyword == "not":
            self.index += 1
            inner = self.condition(self.part(_NOT, depth + 1))
            return _Condition(Not(inner.expression), token.start, inner.end)
        if token.kind == "end":
            raise self.wrong("the query ends where a value or a condition is wanted")
        if token.kind in ("name", "word") and not token.quote:
            call = self.call(token.text.lower())
            if call is not None:
                return self.made(call, token)
        return self.value()

    def first_symbol(self, token: Token, depth: int) -> _Part:
        if token.text == "(":
            self.index += 1
            inner = self.part(_OR, depth + 1)
            self.expect(")", "the '('")
            return inner
        if token.text in ("-", "+"):
            self.index += 1
            inner = self.side(self.part(_PRODUCT + 1, depth + 1))
            return negated(inner) if token.text == "-" else inner
        raise self.wrong(f"{self.found()} stands where a value or a condition is wanted")

    def value(self) -> Side:
        """A field or a literal."""
        token = self.token
        if token.kind == "text":
            self.index += 1
            return Side(Constant(token.text), "text", token.start, token.end, literal=True, quote=token.quote)
        if token.kind == "duration":
            self.index += 1
            return Side(Constant(parse_duration(token.text) or 0), "duration", token.start, token.end, literal=True)
        if token.kind == "number":
            self.index += 1
            return Side(Constant(self.number(token)), "number", token.start, token.end, literal=True)
        word = token.keyword
        if word in _VALUES:
            self.index += 1
            value = _VALUES[word]
            kind = "flag" if isinstance(value, bool) else "number"
            return Side(Constant(value), kind, token.start, token.end, literal=True)  # type: ignore[arg-type]
        if word in _KEYWORDS:
            raise self.wrong(f"{self.found()} stands where a value or a condition is wanted")
        field = self.field()
        return Side(field, kind_of(field), token.start, token.end, several=int(is_several(field)))

    def number(self, token: Token) -> int | float:
        if not token.text.isdigit():
            return float(token.text)
        return int(token.text) if len(token.text) < 30 else float(token.text)  # made 64 bits when its sign is known

    def field(self) -> Field:
        token = self.token
        if token.kind not in ("name", "word"):
            raise self.wrong(f"{self.found()} stands where the name of a field is wanted")
        try:
            field = find_field(token.text, self.subjects)
        except UnknownNameError as error:
            raise self.wrong(error.problem, hint=self.hint_for(token, error.hint)) from None
        self.index += 1
        return field

    def hint_for(self, token: Token, hint: str | None) -> str | None:
        """A word behind an operator was most likely meant as a text."""
        before = self.tokens[self.index - 1] if self.index else None
        compared = before is not None and before.kind == "symbol" and before.text in (*_COMPARISONS, "~", "!~")
        if compared and token.kind == "word":
            return f"a text stands in quotes: '{display(token.text, 40)}'"
        return hint

    def call(self, word: str) -> Expression | None:
        """``has artifact '…'``, ``text('…')`` or ``code.changed('…')``, if that is what stands here."""
        following = self.tokens[self.index + 1]
        if word == "has" and following.keyword == "artifact":
            self.index += 2
            return tests.has_artifact(self.pattern("has artifact"))
        if word == "has" and following.kind in ("word", "name", "text"):
            self.index += 1
            raise self.wrong(
                f"has wants 'artifact' and a path in quotes, not {self.found()}", hint=mistakes.CALLS["has artifact"]
            )
        if following.kind != "symbol" or following.text != "(":
            if word == "code.changed" or (word == "text" and following.kind == "text"):
                raise self.wrong(f"{word} wants '(' and a text in quotes", hint=mistakes.CALLS[word])
            return None
        if word in _KEYWORDS:
            return None
        if word not in ("text", "code.changed"):
            mistake = mistakes.unknown_call(word)
            raise self.wrong(mistake.problem, hint=mistake.hint)
        self.index += 2
        first = self.pattern(f"{word}()")
        second = self.pattern(word) if word == "code.changed" and self.accept(",") else None
        self.expect(")", f"{word}(")
        return tests.full_text(first) if word == "text" else tests.code_changed(first, second)

    # -- tests -----------------------------------------------------------------------------------------------------

    def test(self, left: Side, depth: int) -> _Condition:
        """``left``, an operator, and what it wants."""
        start = left
        operator = self.advance()
        negative = operator.keyword == "not"
        word = (self.advance() if negative else operator).text.lower()
        if word == "is":
            expression = self.is_test(left)
        elif word == "in":
            expression = tests.within(left, self.values(), self.asked_at, negative=negative)
        elif word == "between":
            low = self.side(self.part(_SUM, depth + 1))
            if not self.accept("and"):
                raise self.wrong(f"between wants 'and' and a second value, not {self.found()}")
            high = self.side(self.part(_SUM, depth + 1))
            expression = tests.between(left, low, high, self.asked_at, negative=negative)
        elif word in ("like", "ilike"):
            expression = tests.like(left, self.pattern(word), ignore_case=word == "ilike", negative=negative)
        elif word in ("~", "!~", "matches", "rlike"):
            self.patterns += 1
            if self.patterns > MAX_PATTERNS:
                raise self.wrong(f"the query has more than {MAX_PATTERNS} regular expressions")
            expression = tests.matches(left, self.pattern(word), negative=negative or word == "!~")
        else:
            right = self.side(self.part(_SUM, depth + 1))
            expression = tests.comparison(left, word, right, self.asked_at)
        if self.infix()[0] == _TEST:
            raise self.leftover("comparison")
        return self.made(expression, start)

    def is_test(self, left: Side) -> Expression:
        negative = self.accept("not")
        if self.accept("null"):
            return tests.is_null(left, negative=negative)
        if self.accept("nan"):
            return tests.is_nan(left, negative=negative)
        raise self.wrong(f"is wants null, not null, nan or not nan, not {self.found()}")

    def values(self) -> list[Side]:
        """The literals in the parentheses of ``in``."""
        self.expect("(", "in")
        values: list[Side] = []
        while not self.accept(")"):
            value = self.part(_SUM, MAX_DEPTH - 2)
            if not isinstance(value, Side) or not value.literal:
                raise self.wrong("in wants values, not fields or conditions", at=value.start)
            values.append(value)
            if len(values) > MAX_VALUES:
                raise self.wrong(f"more than {MAX_VALUES} values", at=value.start)
            if not self.accept(","):
                self.expect(")", "the list of values")
                break
        if not values:
            raise self.wrong("in wants at least one value", at=self.tokens[self.index - 1].start)
        return values

    def pattern(self, word: str) -> Side:
        token = self.literal_text(word)
        return Side(Constant(token.text), "text", token.start, token.end, literal=True, quote=token.quote)


def _flag(part: Side) -> Side:
    return Side(Constant(True), "flag", part.start, part.end, literal=True)
