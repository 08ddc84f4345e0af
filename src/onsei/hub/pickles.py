"""Pickles read as data: their instructions are interpreted here, and none of them can call, import or run anything."""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

from onsei.errors import ModelError
from onsei.hub.names import ALIASES, runs_code

LONGEST = 32 * 2**20
"""Most bytes of a pickle that are read; those of checkpoints, whose tensors lie outside, have kilobytes."""
MOST_STEPS = 1_000_000
"""Most instructions of a pickle that are followed."""

_KEYS = (str, int, float, bool, bytes, type(None))


class Named:
    """A class or function that a pickle names. It stays a name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
        """``module.name``."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Named({self.name[:80]!r})"


class Record:
    """An object of a class that is not known here, inert: what it was made of, and nothing of what it could do."""

    __slots__ = ("args", "items", "name", "state")

    def __init__(self, name: str, args: tuple[Any, ...] = ()) -> None:
        self.name = name
        """``module.Class``."""
        self.args = args
        """What it was called with; an enum's value is the first."""
        self.state: Any = None
        """Its attributes, mostly a dict."""
        self.items: dict[Any, Any] | list[Any] | None = None
        """Its entries, where the class is a kind of dict or list."""

    def __repr__(self) -> str:
        return f"Record({self.name[:80]!r})"

    def field(self, name: str, default: Any = None) -> Any:
        """The attribute ``name``."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)  # (dict, slots) of a class with both
        return next((part[name] for part in parts if isinstance(part, dict) and name in part), default)


Maker = Callable[..., Any]


def read(tape: Any, source: str, makers: Mapping[str, Maker] | None = None, persistent: Maker | None = None) -> Any:
    """Read one pickle.

    Args:
        tape: has ``read(n)``, ``readline()`` and ``tell()``; stands after the pickle when this returns.
        source: the file's name, for errors.
        makers: by full name, what may be made where a pickle calls that name: functions that only make data.
        persistent: makes what the pickle refers to outside itself (tensors' storages).

    Returns:
        Nested dicts, lists, tuples, sets, text, numbers, bytes, what ``makers`` and ``persistent`` make, ``Record``
        for every other object and ``Named`` for every class.

    Raises:
        ModelError: the pickle is cut short, is none, claims too much, or names a function that runs code.
    """
    machine = _Machine(source, {**_MAKERS, **(makers or {})}, persistent)
    begin = tape.tell()
    try:
        for count, (code, argument, place) in enumerate(pickletools.genops(tape)):
            if count > MOST_STEPS or (place or 0) - begin > LONGEST:
                raise ModelError(f"{source}: its pickle is far longer than a checkpoint's", "do not trust this file")
            machine.follow(code.name, argument)
        return machine.result
    except ModelError:
        raise
    except Exception as error:  # whatever a broken or hostile stream leads to: it is not a pickle that can be read
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise ModelError(
            f"{source}: not a whole pickle ({reason})", "it was cut short or damaged: copy or download it again"
        ) from None


class _Machine:
    """The stack machine of the pickle format, with every instruction that would run code left out."""

    def __init__(self, source: str, makers: Mapping[str, Maker], persistent: Maker | None) -> None:
        self.source = source
        self.makers = makers
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.result: Any = None
        self.made = 0

    def follow(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _IGNORED:
            pass
        elif (method := getattr(self, f"_{name.lower()}", None)) is not None:
            method(argument)
        else:
            raise self._refused(f"the instruction {name}")

    def _refused(self, what: str) -> ModelError:
        return ModelError(
            f"{self.source}: refused: it holds {what}, which could run code; nothing of it was run",
            "a checkpoint of weights needs no such thing: do not open this file elsewhere, and get it from its source",
        )

    def _marked(self) -> list[Any]:
        top, self.stack = self.stack, self.marks.pop()
        return top

    def _named(self, module: str, name: str) -> None:
        full = f"{ALIASES.get(module, module)}.{name}"
        if runs_code(module, name):
            raise self._refused(f"{module}.{name}"[:200])
        self.stack.append(Named(full))

    def _call(self, function: Any, args: Any) -> Any:
        if not isinstance(args, tuple):
            raise ValueError("a call without a tuple of arguments")
        if not isinstance(function, Named):
            raise self._refused("a call of something that is no name")
        maker = self.makers.get(function.name)
        if maker is None:
            return Record(function.name, args)
        made = maker(*args)
        if made is NotImplemented:
            raise self._refused(f"a call of {function.name} with {len(args)} unusual arguments")
        if isinstance(made, (dict, set, frozenset, bytes)):
            self.made += len(made)  # else one long list could be copied into a million sets
            if self.made > LONGEST:
                raise ModelError(f"{self.source}: its pickle makes far more than it holds", "do not trust this file")
        return made

    def _stop(self, _: Any) -> None:
        self.result = self.stack.pop()

    def _mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._marked()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _put(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, number: int) -> None:
        self.stack.append(self.memo[number])

    _binget = _long_binget = _get

    def _tuple(self, _: Any) -> None:
        values = tuple(self._marked())  # not in one line: `self.stack` is another list afterwards
        self.stack.append(values)

    def _take(self, count: int) -> None:
        taken = tuple(self.stack[-count:])
        if len(taken) < count:
            raise IndexError("stack too short")
        del self.stack[-count:]
        self.stack.append(taken)

    def _tuple1(self, _: Any) -> None:
        self._take(1)

    def _tuple2(self, _: Any) -> None:
        self._take(2)

    def _tuple3(self, _: Any) -> None:
        self._take(3)

    def _list(self, _: Any) -> None:
        values = self._marked()
        self.stack.append(values)

    def _append(self, _: Any) -> None:
        value = self.stack.pop()
        self._extend([value])

    def _appends(self, _: Any) -> None:
        self._extend(self._marked())

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target.items = [] if target.items is None else target.items
            target = target.items
        if not isinstance(target, list):
            raise ValueError(f"items added to a {type(target).__name__}")
        target.extend(values)

    def _dict(self, _: Any) -> None:
        values = self._marked()
        self.stack.append({})
        self._set(values)

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _setitems(self, _: Any) -> None:
        self._set(self._marked())

    def _set(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target.items = {} if target.items is None else target.items
            target = target.items
        if not isinstance(target, dict):
            raise ValueError(f"entries set in a {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def _additems(self, _: Any) -> None:
        values = self._marked()
        self.stack[-1].update(map(_key, values))

    def _frozenset(self, _: Any) -> None:
        values = frozenset(map(_key, self._marked()))
        self.stack.append(values)

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._named(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a class whose name is no text")
        self._named(module, name)

    def _reduce(self, _: Any) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self._call(function, args))

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        options, args, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        made = Record(function.name, args)
        made.state = options
        self.stack.append(made)

    def _inst(self, argument: str) -> None:
        args = tuple(self._marked())
        self._global(argument)
        self.stack.append(self._call(self.stack.pop(), args))

    def _obj(self, _: Any) -> None:
        function, *args = self._marked()
        self.stack.append(self._call(function, tuple(args)))

    def _build(self, _: Any) -> None:
        """The attributes of an object; those of dicts and tensors (an OrderedDict's ``_metadata``) are left out."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Record):
            self.stack[-1].state = state

    def _binpersid(self, _: Any) -> None:
        identity = self.stack.pop()
        if self.persistent is None:
            raise ValueError("a reference to outside the pickle")
        self.stack.append(self.persistent(identity))


def _key(key: Any) -> Any:
    """``key`` if it can be hashed at no risk: hashing a tuple of a million nested tuples would crash Python."""
    flat = isinstance(key, (*_KEYS, Named, Record)) or (isinstance(key, tuple) and all(map(_is_flat, key)))
    if not flat:
        raise ValueError(f"a key of type {type(key).__name__}")
    return key


def _is_flat(value: Any) -> bool:
    return isinstance(value, (*_KEYS, Named, Record))


def _ordered(entries: Any = (), *_: Any) -> Any:
    """An OrderedDict, given nothing or pairs (as Python 2 wrote it)."""
    return {_key(key): value for key, value in entries}


def _collected(kind: type[Any]) -> Maker:
    def make(values: Any = ()) -> Any:
        return kind(map(_key, values)) if isinstance(values, (list, tuple, set, frozenset)) else NotImplemented

    return make


def _attribute(owner: Any = None, name: Any = None, *_: Any) -> Any:
    """``getattr(Class, "member")``, by which some versions of Python write enums; any other use is refused."""
    fits = isinstance(owner, Named) and isinstance(name, str) and not name.startswith("_")
    return Record(owner.name, (name,)) if fits else NotImplemented


def _encoded(text: Any = "", encoding: Any = "latin1", *_: Any) -> Any:
    """``codecs.encode``, by which protocol 2 writes bytes."""
    fits = isinstance(text, str) and encoding in ("latin1", "latin-1")
    return text.encode("latin-1") if fits else NotImplemented


def _reconstructed(kind: Any = None, base: Any = None, state: Any = None, *_: Any) -> Any:
    """``copyreg._reconstructor``, by which protocols 0 and 1 write objects."""
    return Record(kind.name) if isinstance(kind, Named) else NotImplemented


_MAKERS: dict[str, Maker] = {
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": lambda *_: {},
    "builtins.dict": lambda *_: {},
    "builtins.set": _collected(set),
    "builtins.frozenset": _collected(frozenset),
    "builtins.getattr": _attribute,
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": _reconstructed,
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Maker] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": set}
_IGNORED = {"PROTO", "FRAME"}
_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "FLOAT", "BINFLOAT",
}  # fmt: skip
