"""Arithmetic spoken in words or digits, as a small grammar over exact fractions.

sum     = product { ("plus" | "minus") product }
product = power { ("times" | "divided by" | "modulo" | "percent of") power }
power   = prefix [ "to the power of" power | "squared" | "cubed" ]
prefix  = ("square root of" | "half of" | "double" ...) prefix | number
"""

from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import Final

import msgspec

from vivavoce.engines.llm.spoken_numbers import in_digits, number_at

MAX_BITS: Final = 4_000  # of a result: larger ones are refused before they are computed
MAX_NESTING: Final = 50

_OPERATORS: Final = {
    "plus": "+", "minus": "-", "less": "-", "take away": "-", "times": "*", "multiplied by": "*", "x": "*",
    "divided by": "/", "over": "/", "by": "/", "modulo": "mod", "mod": "mod", "percent of": "%", "percent off": "%off",
    "to the power of": "^", "raised to the power of": "^", "raised to": "^", "to the power": "^",
    "squared": "^2", "cubed": "^3", "of": "*",
}  # fmt: skip
_PREFIXES: Final = {
    "square of": "square", "the square of": "square", "the cube of": "cube", "square root of": "sqrt",
    "the square root of": "sqrt", "cube root of": "cbrt", "the cube root of": "cbrt",
    "half of": "half", "double": "double", "twice": "double", "triple": "triple", "a third of": "third",
    "a quarter of": "quarter", "quarter of": "quarter", "square root": "sqrt",
}  # fmt: skip
_FACTORS: Final = {"half": Fraction(1, 2), "double": Fraction(2), "triple": Fraction(3), "third": Fraction(1, 3),
                   "quarter": Fraction(1, 4)}  # fmt: skip
_SPOKEN: Final = {"+": "plus", "-": "minus", "*": "times", "/": "divided by", "mod": "modulo", "%": "percent of",
                  "%off": "percent off", "^": "to the power of", "^2": "squared", "^3": "cubed",
                  "sqrt": "the square root of",
                  "square": "the square of", "cube": "the cube of", "cbrt": "the cube root of", "half": "half of",
                  "double": "double", "triple": "triple",
                  "third": "a third of", "quarter": "a quarter of"}  # fmt: skip
_HOMOPHONES: Final = {
    "to": 2,
    "too": 2,
    "for": 4,
    "fore": 4,
    "won": 1,
    "ate": 8,
}  # what recognisers write after an operator

Token = Fraction | str


class CannotCompute(Exception):
    """The calculation has no answer; the message is the sentence to say."""


class Calculation(msgspec.Struct, frozen=True):
    """A calculation in words and its value; `is_exact` is False for irrational roots."""

    spoken: str
    value: Fraction
    is_exact: bool


def calculation_in(words: tuple[str, ...]) -> Calculation | None:
    """The first calculation in the words, None if there is none.

    Raises:
        CannotCompute: division by zero, the root of a negative number, a number beyond all bounds.
    """
    reworded = _rewritten(words)
    tokens = _tokens(reworded)
    for start, token in enumerate(tokens):
        if isinstance(token, Fraction) or token in _PREFIX_NAMES:
            parser = _Parser(tokens, start)
            value = parser.sum(0)
            if value is not None and parser.count_operators:
                spoken = " ".join(_in_words(token) for token in tokens[start : parser.place])
                return Calculation(spoken, value, parser.is_exact)
    return None


def _in_words(token: Token) -> str:
    return in_digits(token) if isinstance(token, Fraction) else _SPOKEN.get(token, token)


_PREFIX_NAMES: Final = frozenset(_PREFIXES.values())
# (what the calculation starts with, what joins its numbers, the operator, whether the order is reversed)
_VERBS: Final = (
    ("the sum of", ("and",), "plus", False),
    ("sum of", ("and",), "plus", False),
    ("add", ("and", "to", "with"), "plus", False),
    ("the product of", ("and", "with"), "times", False),
    ("product of", ("and", "with"), "times", False),
    ("multiply", ("by", "and", "with"), "times", False),
    ("divide", ("by",), "divided by", False),
    ("the difference between", ("and",), "minus", False),
    ("difference between", ("and",), "minus", False),
    ("subtract", ("from",), "minus", True),
    ("take", ("from",), "minus", True),
)


def _rewritten(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words with "add a and b" as "a plus b", "subtract a from b" as "b minus a", and so on."""
    line = f" {' '.join(words)} "
    for verb, joints, operator, is_reversed in _VERBS:
        before, found, after = line.partition(f" {verb} ")
        number = number_at(tuple(after.split()), 0) if found and after.strip() else None
        if number is None:
            continue
        rest = tuple(after.split())
        if is_reversed and rest[number.end : number.end + 1] == (joints[0],):
            return (*rest[number.end + 1 :][:8], operator, *rest[: number.end])
        return tuple(
            operator_word for word in rest for operator_word in (operator.split() if word in joints else [word])
        )
    return words


def _tokens(words: tuple[str, ...]) -> list[Token]:
    """Numbers and operators; every other word as it is, so that it ends a calculation."""
    tokens: list[Token] = []
    place = 0
    while place < len(words):
        token, place = _token_at(words, place, tokens)
        tokens.append(token)
    return tokens


def _token_at(words: tuple[str, ...], place: int, before: list[Token]) -> tuple[Token, int]:
    for length in (5, 4, 3, 2, 1):
        phrase = " ".join(words[place : place + length])
        if phrase in _PREFIXES:
            return _PREFIXES[phrase], place + length
        if phrase in _OPERATORS and before and not (phrase == "minus" and isinstance(before[-1], str)):
            return _OPERATORS[phrase], place + length
    number = number_at(words, place)
    if number is not None:
        return number.value, number.end
    is_operand = bool(before) and before[-1] in ("+", "-", "*", "/", "%", "mod", "^")
    if is_operand and words[place] in _HOMOPHONES:
        return Fraction(_HOMOPHONES[words[place]]), place + 1
    return words[place], place + 1


class _Parser:
    """Recursive descent from `place`; a method that finds nothing returns None."""

    def __init__(self, tokens: list[Token], place: int) -> None:
        self._tokens = tokens
        self.place = place
        self.count_operators = 0
        self.is_exact = True

    def sum(self, depth: int) -> Fraction | None:
        value = self._product(depth)
        while value is not None and (operator := self._take("+", "-")):
            right = self._right(self._product, depth)
            if right is None:
                return value
            value = _bounded(value + right if operator == "+" else value - right)
        return value

    def _product(self, depth: int) -> Fraction | None:
        value = self._power(depth)
        while value is not None and (operator := self._take("*", "/", "mod", "%", "%off")):
            right = self._right(self._power, depth)
            if right is None:
                return value
            value = _bounded(_combined(value, operator, right))
        return value

    def _power(self, depth: int) -> Fraction | None:
        value = self._prefix(depth)
        while value is not None and (operator := self._take("^", "^2", "^3")):
            if operator != "^":
                self.count_operators += 1
                value = _raised(value, Fraction(int(operator[1])))
                continue
            right = self._right(self._prefix, depth)
            if right is None:
                return value
            value = _raised(value, right)
        return value

    def _prefix(self, depth: int) -> Fraction | None:
        if depth > MAX_NESTING:
            return None
        name = self._take(*_PREFIX_NAMES)
        if name:
            value = self._right(self._prefix, depth + 1)
            return None if value is None else self._applied(name, value)
        token = self._tokens[self.place] if self.place < len(self._tokens) else None
        if not isinstance(token, Fraction):
            return None
        self.place += 1
        return token

    def _applied(self, name: str, value: Fraction) -> Fraction:
        if name in _FACTORS:
            return value * _FACTORS[name]
        if name in ("square", "cube"):
            return _raised(value, Fraction(2 if name == "square" else 3))
        root = _root(value, 2 if name == "sqrt" else 3)
        self.is_exact = self.is_exact and root ** (2 if name == "sqrt" else 3) == value
        return root

    def _take(self, *operators: str) -> str:
        token = self._tokens[self.place] if self.place < len(self._tokens) else None
        if isinstance(token, str) and token in operators:
            self.place += 1
            return token
        return ""

    def _right(self, part: Callable[[int], Fraction | None], depth: int) -> Fraction | None:
        """What stands right of an operator; without it the operator is given back."""
        start = self.place
        value = part(depth)
        if value is None:
            self.place = start - 1
        else:
            self.count_operators += 1
        return value


def _combined(left: Fraction, operator: str, right: Fraction) -> Fraction:
    if operator == "*":
        return left * right
    if operator == "%":
        return left * right / 100
    if operator == "%off":
        return right - left * right / 100
    if right == 0:
        raise CannotCompute("I cannot divide by zero.")
    return left / right if operator == "/" else left % right


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise CannotCompute("I can only raise to whole powers.")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > MAX_BITS:
        raise CannotCompute("That number is too large for me.")
    if base == 0 and exponent < 0:
        raise CannotCompute("I cannot divide by zero.")
    return Fraction(base ** int(exponent))


def _root(value: Fraction, degree: int) -> Fraction:
    """The root, exact where it is rational, else to eight decimals."""
    if value < 0:
        if degree == 2:
            raise CannotCompute("A negative number has no real square root.")
        return -_root(-value, degree)
    exact = Fraction(_whole_root(value.numerator, degree), _whole_root(value.denominator, degree))
    if exact**degree == value:
        return exact
    scale = 10**8
    return Fraction(_whole_root(int(value * scale**degree), degree), scale)


def _whole_root(value: int, degree: int) -> int:
    """The largest whole number whose power does not exceed the value."""
    if degree == 2:
        return isqrt(value)
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise CannotCompute("That number is too large for me.")
    return value
