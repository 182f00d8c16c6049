"""Copies and fingerprints of a running session, so that each state it can be in is visited once.

Both walk the objects that are there, whatever their classes: nothing in this module knows the session's machines.
A copy shares what cannot change: wire structs, requests, bytes. A fingerprint is equal for states that behave alike:
ids are renamed in order of first use, times count from now and are 0 once they have passed, audio is its length.
"""

import enum
import hashlib
import marshal
from collections import deque
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

import msgspec

from vivavoce.core.policy import SessionPolicy
from vivavoce.protocol.session import RealtimeSession

EPOCH_S: Final = 1_000_000.0  # the model's clock starts here, so that a moment is told from any other number
MARK: Final = "~"  # every id of the model starts with it, and no other string
_DIGEST_BYTES: Final = 12
_KEPT_SETTINGS: Final = 1000
_NAMES: Final = tuple(f"\0{number}" for number in range(1000))  # of ids, in order of first use
_REFERENCES: Final = tuple(f"\1{number}" for number in range(1000))  # to objects that were written
_SHARED_MODULES: Final = (
    "vivavoce.protocol.",
    "vivavoce.core.requests",
    "vivavoce.core.vocabulary",
    "vivavoce.core.policy",
)
# Attributes that no decision depends on: a time that only generation requests tell, and a note on the last step.
_IGNORED: Final = frozenset({"opened_at", "has_changed"})


class ModelIds:
    """An id source whose ids can be renamed. Event ids are all alike: only their uniqueness matters."""

    def __init__(self) -> None:
        self._made = 0
        self._begun = 0

    def make(self, prefix: str) -> str:
        """Return a fresh id, or a constant for an event."""
        if prefix == "event":
            return "event"
        self._made += 1
        return f"{MARK}{prefix}_{self._made}"

    def begin(self) -> None:
        """A call into the session begins."""
        self._begun = self._made

    def is_recent(self, made: str) -> bool:
        """Whether an id was made since the call began."""
        return int(made.rpartition("_")[2]) > self._begun


Memo = dict[int, Any]  # id of an object that was met -> its copy
Copier = Callable[[Any, Memo], Any]  # `Any` throughout this module: objects of any class
Writer = Callable[[Any], Any]

_ATOMS: Final[set[type]] = {int, str, float, bool, bytes, type(None)}  # grows by all types that are shared


def copy_of(value: Any) -> Any:
    """Return a deep copy that shares what cannot change and keeps the identity of every object within it."""
    return _COPIERS[type(value)](value, {})


class _Copiers(dict[type, Copier]):
    """The copier of each type, found when it is first needed."""

    def __missing__(self, kind: type) -> Copier:
        copier = self[kind] = _copier_of(kind)
        if copier is _share:
            _ATOMS.add(kind)
        return copier


def _copier_of(kind: type) -> Copier:
    if _is_shared(kind):
        return _share
    return _struct_copier(kind) if issubclass(kind, msgspec.Struct) else _copy_first


def _is_shared(kind: type) -> bool:
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_config__.frozen and kind.__module__.startswith(_SHARED_MODULES)
    return issubclass(kind, enum.Enum) or kind.__module__ in ("builtins", "re", "types", "msgspec", "msgspec._core")


def _share(value: Any, memo: Memo) -> Any:
    return value


def _object_copier(kind: type, names: Iterable[str]) -> Copier:
    copies = [
        f"    {name!r}: v if (t := type(v := own[{name!r}])) in atoms else copiers[t](v, memo)," for name in names
    ]
    lines = [
        "def made(value, memo):",
        "  known = memo.get(id(value))",
        "  if known is not None: return known",
        "  own = value.__dict__",
        f"  if len(own) != {len(copies)}: return copy_first(value, memo)",
        "  copied = memo[id(value)] = new(kind)",
        "  copied.__dict__ = {",
        *copies,
        "  }",
        "  return copied",
    ]
    context = {"kind": kind, "new": object.__new__, "atoms": _ATOMS, "copiers": _COPIERS, "copy_first": _copy_first}
    copier: Copier = _compiled(lines, context)
    return copier


def _copy_first(value: Any, memo: Memo) -> Any:
    """Copy an object that has other attributes than those of its class before, or the first of its class."""
    copier = _COPIERS[type(value)] = _object_copier(type(value), value.__dict__)
    return copier(value, memo)


def _compiled(lines: Iterable[str], context: dict[str, Any]) -> Any:
    """Return the function `made` of some lines. Generated code is a third faster than loops over attributes."""
    exec("\n".join(lines), context)
    return context["made"]


def _struct_copier(kind: type[msgspec.Struct]) -> Copier:
    names = kind.__struct_fields__
    read = _reader(names)
    is_frozen = kind.__struct_config__.frozen

    def copy_struct(value: Any, memo: Memo) -> Any:
        known = memo.get(id(value))
        if known is not None:
            return known
        copied = memo[id(value)] = value.__copy__()
        is_changed = not is_frozen
        for name, field in zip(names, read(value), strict=True):
            kind = type(field)
            if kind not in _ATOMS and (own := _COPIERS[kind](field, memo)) is not field:
                msgspec.structs.force_setattr(copied, name, own)
                is_changed = True
        if not is_changed:
            memo[id(value)] = value
            return value
        return copied

    return copy_struct


def _reader(names: tuple[str, ...]) -> Callable[[Any], Iterable[Any]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _copy_dict(value: Any, memo: Memo) -> Any:
    if not value:
        return {}
    return {
        key: element if type(element) in _ATOMS else _COPIERS[type(element)](element, memo)
        for key, element in value.items()
    }


def _copy_list(value: Any, memo: Memo) -> Any:
    return (
        [element if type(element) in _ATOMS else _COPIERS[type(element)](element, memo) for element in value]
        if value
        else []
    )


def _copy_deque(value: Any, memo: Memo) -> Any:
    return deque(_copy_list(value, memo), value.maxlen)


def _copy_tuple(value: Any, memo: Memo) -> Any:
    for element in value:
        if type(element) not in _ATOMS:
            return tuple(_copy_list(value, memo))
    return value


def _copy_set(value: Any, memo: Memo) -> Any:
    return value.copy()  # of ids


_COPIERS: Final = _Copiers(
    {
        dict: _copy_dict,
        list: _copy_list,
        deque: _copy_deque,
        tuple: _copy_tuple,
        set: _copy_set,
        frozenset: _share,
    }
)

# Fingerprints -------------------------------------------------------------------------------------------------

_PLAIN: Final = frozenset({int, bool, type(None)})


class _Names(dict[str, str]):
    """What is written for a string: itself, for an id a name in order of first use."""

    def __init__(self) -> None:
        super().__init__()
        self._used: list[str] = []

    def __missing__(self, text: str) -> str:
        if not text.startswith(MARK):
            self[text] = text
            return text
        name = self[text] = _NAMES[len(self._used)]
        self._used.append(text)
        return name

    def forget_ids(self) -> None:
        """Begin anew; other strings are few and stay."""
        for made in self._used:
            del self[made]
        self._used.clear()


class _Writers(dict[type, Writer]):
    """The writer of each type, found when it is first needed."""

    def __init__(self, find: Callable[[type], Writer], known: dict[type, Writer]) -> None:
        super().__init__(known)
        self._find = find

    def __missing__(self, kind: type) -> Writer:
        writer = self[kind] = self._find(kind)
        return writer


class Fingerprints:
    """Makes fingerprints; it has working space of its own, so use one for each thread.

    An object becomes a list of its attributes, at its second appearance a reference; containers count by value.
    """

    def __init__(self) -> None:
        self._names = _Names()
        self._met: dict[int, int] = {}
        self._now = 0.0
        self._settings: dict[int, tuple[int, RealtimeSession]] = {}
        self._numbers: dict[bytes, int] = {}
        known: dict[type, Writer] = {
            float: self._write_float,
            str: self._names.__getitem__,
            bytes: len,
            dict: self._write_dict,
            set: self._write_set,
            frozenset: self._write_set,
            tuple: self._write_sequence,
            list: self._write_sequence,
            deque: self._write_sequence,
            ModelIds: _write_nothing,
            SessionPolicy: _write_nothing,
            RealtimeSession: self._write_session,
        }
        self._writers = _Writers(self._writer_of, known)

    def take(self, value: Any, now: float) -> bytes:
        """Return the fingerprint of an object and all that it refers to."""
        self._names.forget_ids()
        self._met.clear()
        self._now = now
        written = self._writers[type(value)](value)
        return hashlib.blake2b(marshal.dumps(written, 2), digest_size=_DIGEST_BYTES).digest()

    def _writer_of(self, kind: type) -> Writer:
        if issubclass(kind, enum.Enum):
            return attrgetter("_name_")
        if issubclass(kind, msgspec.Struct):
            return self._struct_writer(kind)
        return _write_nothing if _is_shared(kind) else self._write_first

    def _struct_writer(self, kind: type[msgspec.Struct]) -> Writer:
        body = _body(kind, [(name, f"value.{name}") for name in kind.__struct_fields__])
        return self._compiled(body if kind.__struct_config__.frozen else [*_ONCE, *body])

    def _write_first(self, value: Any) -> Any:
        """Write an object that has other attributes than those of its class before, or the first of its class."""
        names = list(value.__dict__)
        check = ["  own = value.__dict__", f"  if len(own) != {len(names)}: return write_first(value)"]
        body = _body(type(value), [(name, f"own[{name!r}]") for name in names])
        writer = self._writers[type(value)] = self._compiled([*check, *_ONCE, *body])
        return writer(value)

    def _compiled(self, body: Iterable[str]) -> Writer:
        context = {"plain": _PLAIN, "writers": self._writers, "met": self._met, "references": _REFERENCES}
        writer: Writer = _compiled(["def made(value):", *body], {**context, "write_first": self._write_first})
        return writer

    def _write_session(self, value: RealtimeSession) -> int:
        """Settings are large and few: each is written as its number."""
        known = self._settings.get(id(value))
        if known is None:
            if len(self._settings) > _KEPT_SETTINGS:
                self._settings.clear()
            number = self._numbers.setdefault(msgspec.json.encode(value), len(self._numbers))
            known = self._settings[id(value)] = (number, value)  # kept, so that its address stays its own
        return known[0]

    def _write_float(self, value: float) -> float:
        return round(max(value - self._now, 0.0), 6) if value >= EPOCH_S / 2 else value

    def _write_dict(self, value: Any) -> Any:
        return [self._write_sequence(value), self._write_sequence(value.values())] if value else ()

    def _write_sequence(self, value: Any) -> Any:
        writers = self._writers
        return [v if type(v) in _PLAIN else writers[type(v)](v) for v in value]

    def _write_set(self, value: Any) -> Any:
        return sorted(map(str, self._write_sequence(value)))


def _write_nothing(value: Any) -> None:
    return None


# Of a generated writer: an object that can change is written once, then referred to.
_ONCE: Final = (
    "  number = met.get(id(value))",
    "  if number is not None: return references[number]",
    "  met[id(value)] = len(met)",
)


def _body(kind: type, fields: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines that write an object's fields, given as names and how they are read."""
    written = [
        f"    v if (t := type(v := {read})) in plain else writers[t](v),"
        for name, read in fields
        if name not in _IGNORED
    ]
    return [f"  return ({kind.__name__!r},", *written, "  )"]
