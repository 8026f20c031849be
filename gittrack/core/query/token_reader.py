"""The words of one query, and how far they are read."""

from __future__ import annotations

from gittrack.core.names import display
from gittrack.core.query.diagnosis import syntax_error
from gittrack.core.query.tokens import Token, tokenize
from gittrack.errors import QuerySyntaxError


class TokenReader:
    """Takes words from left to right; says what is wrong with the one that comes next."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.tokens = tokenize(query)
        self.index = 0

    @property
    def token(self) -> Token:
        """The next word."""
        return self.tokens[self.index]

    def advance(self) -> Token:
        """Take the next word."""
        token = self.token
        self.index += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take the next word if it is one of these symbols or keywords."""
        if self.token.kind in ("symbol", "word") and self.token.text.lower() in words:
            self.index += 1
            return True
        return False

    def wrong(self, problem: str, *, at: int | None = None, hint: str | None = None) -> QuerySyntaxError:
        """The error to raise, at the next word unless ``at`` is a place."""
        return syntax_error(self.query, self.token.start if at is None else at, problem, hint=hint)

    def found(self) -> str:
        """The next word, for a message."""
        token = self.token
        return "the end" if token.kind == "end" else f"'{display(self.query[token.start : token.end], 40)}'"

    def expect(self, symbol: str, after: str) -> None:
        """Take a symbol; raises QuerySyntaxError when another word stands there."""
        if not self.accept(symbol):
            raise self.wrong(f"{after} wants '{symbol}', not {self.found()}")

    def expect_end(self, what: str) -> None:
        """Raises QuerySyntaxError unless all words are taken."""
        if self.token.kind != "end":
            raise self.wrong(f"{self.found()} stands after {what}")

    def literal_text(self, after: str) -> Token:
        """A text in quotes."""
        if self.token.kind != "text":
            raise self.wrong(f"{after} wants a text in quotes, not {self.found()}")
        return self.advance()
