"""Lists of tensors in files of ``torch.save``, read by an interpreter of the few instructions that such a list needs.

It calls nothing that the list names. A tensor must lie within its storage, and what is built is a bounded tree.
Source of the layout: ``torch.serialization`` and ``torch._utils`` of torch 2.8, pickle protocol 2.
"""

import io
import math
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_STEPS = 12_000_000  # the losses of a million training steps
MOST_PARTS = 100_000_000  # values and letters, each as often as it is named
DEEPEST = 100
MOST_DIMENSIONS = 16
MOST_CALLS = 300_000  # tensors, parameters and dictionaries: some thousand for the largest model and its optimizer
WIDEST_INTEGER = 2**63 - 1  # a product or the text of larger ones may take any time
WIDEST_KEY = 2**31  # larger integers can share places in a dictionary, which then takes time by the square

STORAGES = {
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}
"""Names of torch's classes of storages: number format and bytes of an item."""

_LITERALS = frozenset({"BINUNICODE", "BINFLOAT", "BININT", "BININT1", "BININT2", "LONG1"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class StorageEntry:
    """Data of tensors: the archive's file ``key`` holds ``n_items`` numbers.

    Attributes:
        dtype: number format, as torch names it.
    """

    key: str
    dtype: str
    item_bytes: int
    n_items: int

    @property
    def n_bytes(self) -> int:
        """Length of the file."""
        return self.n_items * self.item_bytes


@dataclass(frozen=True)
class TensorEntry:
    """View of a storage; it lies within it, and each of its numbers has a place of its own there."""

    storage: StorageEntry
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Name(str):
    """Class or function that a list names."""

    __slots__ = ()


class _Mark:
    """Values from a mark on, on top of those before it."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.before: list[list[Any]] = []

    def push(self) -> None:
        self.before.append(self.stack)
        self.stack = []

    def pop(self) -> list[Any]:
        values, self.stack = self.stack, self.before.pop()
        return values


def read_list(content: bytes, make_tensor: Callable[[TensorEntry], Any]) -> Any:
    """Return what a list holds: numbers, texts, lists, tuples, dictionaries, and tensors as ``make_tensor`` gives them.

    Raises:
        ValueError: it holds anything else, or a tensor that its storage cannot hold.
    """
    try:
        found = _interpret(content, make_tensor)
    except (LookupError, TypeError, OverflowError) as error:
        raise ValueError("the archive's list of tensors is damaged") from error
    _check_tree(found)
    return found


def _interpret(content: bytes, make_tensor: Callable[[TensorEntry], Any]) -> Any:
    values, memo, n_calls = _Mark(), {}, 0
    for number, (instruction, argument, _) in enumerate(pickletools.genops(io.BytesIO(content))):
        if number > MOST_STEPS:
            raise ValueError("the archive's list of tensors is too long")
        name, stack = instruction.name, values.stack
        if name in _LITERALS:
            if type(argument) is int and abs(argument) > WIDEST_INTEGER:
                raise ValueError("the archive's list of tensors holds an integer of more than 64 bits")
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            values.push()
        elif name == "TUPLE":
            built = tuple(values.pop())
            values.stack.append(built)
        elif name in _TUPLES:
            n = _TUPLES[name]
            stack[-n:] = [tuple(stack[-n:])]
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "APPEND":
            item = stack.pop()
            _add(stack[-1], [item])
        elif name == "APPENDS":
            items = values.pop()
            _add(values.stack[-1], items)
        elif name == "SETITEM":
            item, key = stack.pop(), stack.pop()
            _set(stack[-1], [key, item])
        elif name == "SETITEMS":
            items = values.pop()
            _set(values.stack[-1], items)
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            n_calls += 1
            if n_calls > MOST_CALLS:
                raise ValueError("the archive's list of tensors is too long")
            arguments, function = stack.pop(), stack.pop()
            stack.append(_call(function, arguments, make_tensor))
        elif name == "BUILD":  # versions of layers beside a dictionary of weights, which nothing here reads
            stack.pop()
            if type(stack[-1]) is not OrderedDict:
                raise ValueError("the archive's list of tensors sets attributes")
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"the archive's list of tensors holds the instruction {name}")
    raise ValueError("the archive's list of tensors has no end")


def _add(target: Any, items: list[Any]) -> None:
    if type(target) is not list:
        raise ValueError("the archive's list of tensors is damaged")
    target += items


def _set(target: Any, items: list[Any]) -> None:
    keys = items[::2]
    if type(target) not in (dict, OrderedDict) or len(items) % 2:
        raise ValueError("the archive's list of tensors is damaged")
    if not all(type(key) is str or (type(key) is int and abs(key) <= WIDEST_KEY) for key in keys):
        raise ValueError("a dictionary of the archive has keys that are neither texts nor small integers")
    target.update(zip(keys, items[1::2], strict=True))


def _storage(given: Any) -> StorageEntry:
    """Return the storage of ``("storage", class, key, device, number of items)``."""
    _, kind, key, _, n_items = given
    kind = kind if type(kind) is _Name else ""  # never written out: it may hold itself many times over
    module, _, name = kind.partition(" ")
    if module != "torch" or name not in STORAGES:
        raise ValueError(f"the archive holds numbers of an unknown format: {kind[:100]!r}")
    if type(key) is not str or type(n_items) is not int or n_items < 0:
        raise ValueError("the archive's list of tensors is damaged")
    return StorageEntry(key, *STORAGES[name], n_items)


def _call(function: Any, arguments: Any, make_tensor: Callable[[TensorEntry], Any]) -> Any:
    """Return what a function would, of those that a list of tensors needs."""
    name = function if type(function) is _Name else ""
    if name == "collections OrderedDict" and arguments == ():
        return OrderedDict()
    if name == "torch._utils _rebuild_parameter" and len(arguments) == 3:
        return arguments[0]
    if name != "torch._utils _rebuild_tensor_v2":
        raise ValueError(f"the archive's list of tensors calls {name[:100]!r}, which no weights need")
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, StorageEntry) or type(shape) is not tuple or type(strides) is not tuple:
        raise ValueError("the archive's list of tensors is damaged")
    if not len(shape) == len(strides) <= MOST_DIMENSIONS:
        raise ValueError("the archive's list of tensors is damaged")
    if not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
        raise ValueError("the archive's list of tensors is damaged")
    n_items = math.prod(shape)
    extent = 1  # from the first number of the view on
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if n_items and size > 1 and stride < extent:
            raise ValueError("a tensor repeats its data")
        extent += (size - 1) * stride
    if n_items and offset + extent > storage.n_items:
        raise ValueError("a tensor is larger than its data")
    if not n_items and offset > storage.n_items:
        raise ValueError("a tensor lies outside of its data")
    return make_tensor(TensorEntry(storage, offset, shape, strides))


def _check_tree(root: Any) -> None:
    """Refuse a value that holds itself, or that is far larger or deeper than its list: it could be walked for ever."""
    sizes: dict[int, tuple[int, int]] = {}
    left: list[tuple[Any, bool]] = [(root, False)]
    while left:
        value, is_seen = left.pop()
        parts = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(parts, list | tuple):
            continue
        if is_seen:
            known = [sizes[id(part)] for part in parts if id(part) in sizes]
            letters = sum(len(part) for part in parts if isinstance(part, str))
            size = len(parts) + letters + sum(n for n, _ in known)
            depth = 1 + max((depth for _, depth in known), default=0)
            if size > MOST_PARTS or depth > DEEPEST:
                raise ValueError("the archive's values are nested too deep or repeat too often")
            sizes[id(value)] = (size, depth)
        elif id(value) not in sizes:
            sizes[id(value)] = (0, 0)
            left.append((value, True))
            left += [(part, False) for part in parts if isinstance(part, dict | list | tuple)]
        elif sizes[id(value)] == (0, 0):
            raise ValueError("a value of the archive holds itself")
