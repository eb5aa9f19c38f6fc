"""X's search query language, as far as campaigns use it: terms, OR, parentheses, negation, operators."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_QUERY = 512


@dataclass(frozen=True, slots=True)
class Facts:
    """What a query can ask of a post; strings in lower case, handles without sign."""

    text: str
    author: str
    hashtags: frozenset[str]
    mentions: frozenset[str]
    reply_to: str
    lang: str
    conversation_id: str
    has: frozenset[str]
    kinds: frozenset[str]


class QueryError(ValueError):
    """The query cannot be understood; the message is what X would say."""


Test = Callable[[Facts], bool]

_TOKEN = re.compile(r'\s*(\(|\)|-?"[^"]*"|-(?=\()|[^\s()]+)')
_HAS = {"images", "media", "links", "hashtags", "mentions", "geo"}
_IS = {"retweet", "reply", "quote", "verified", "nullcast"}


def compile_query(query: str) -> Test:
    """A predicate for ``query``. Raises QueryError: over 512 characters, unbalanced, unknown operator, nothing standalone."""
    if len(query) > MAX_QUERY:
        raise QueryError(f"Rules must be {MAX_QUERY} characters or less. You have provided {len(query)} characters.")
    tokens = _TOKEN.findall(query)
    parser = _Parser(tokens)
    test = parser.either()
    if parser.at < len(tokens):
        raise QueryError(f"no viable alternative at input '{tokens[parser.at]}'")
    if not parser.standalone:
        raise QueryError(
            "Rule must contain at least one positive, non-stopword clause; operators such as has: and is: cannot stand alone."
        )
    return test


class _Parser:
    """Recursive descent; AND (a blank) binds before OR, as X documents."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.standalone = False

    def either(self) -> Test:
        tests = [self._all()]
        while self._peek() == "OR":
            self.at += 1
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda facts: any(t(facts) for t in tests)

    def _all(self) -> Test:
        tests: list[Test] = []
        while (token := self._peek()) is not None and token not in (")", "OR"):
            tests.append(self._one())
        if not tests:
            raise QueryError(f"missing term near '{self._peek() or 'end of query'}'")
        return tests[0] if len(tests) == 1 else lambda facts: all(t(facts) for t in tests)

    def _one(self) -> Test:
        token = self.tokens[self.at]
        self.at += 1
        if token == "-":
            before = self.standalone
            inner = self._one()
            self.standalone = before
            return lambda facts: not inner(facts)
        if token == "(":
            inner = self.either()
            if self._peek() != ")":
                raise QueryError("missing ')'")
            self.at += 1
            return inner
        if token.startswith("-") and len(token) > 1:
            test, _ = _term(token[1:])
            return lambda facts: not test(facts)
        test, alone = _term(token)
        self.standalone = self.standalone or alone
        return test

    def _peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None


def _term(token: str) -> tuple[Test, bool]:
    """The test of one term, and whether it can stand alone."""
    lowered = token.lower()
    if token.startswith(("#", "＃")):
        return (lambda facts: lowered[1:] in facts.hashtags), True
    if token.startswith("@"):
        return (lambda facts: lowered[1:] in facts.mentions), True
    if token.startswith('"'):
        return (lambda facts: lowered.strip('"') in facts.text), True
    name, colon, value = lowered.partition(":")
    if not colon or name in ("http", "https"):
        return (lambda facts: lowered in facts.text), True
    if name in ("from", "to", "conversation_id"):
        field = {"from": "author", "to": "reply_to", "conversation_id": "conversation_id"}[name]
        return (lambda facts: getattr(facts, field) == value.lstrip("@")), True
    if name == "has" and value in _HAS:
        return (lambda facts: value in facts.has), False
    if name == "is" and value in _IS:
        return (lambda facts: value in facts.kinds), False
    if name == "lang":
        return (lambda facts: facts.lang == value), False
    raise QueryError(f"Reference to invalid operator '{name}:{value}'. Operator is not available in current product or policy.")
