"""Functions by name: the entries of a table, and one's own as MODULE:FUNCTION."""

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def named(option: str, text: str, table: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """Return the function that the text of an option stands for: an entry of the table, or module:function.

    Raises ValueError for a name that the table lacks, with the nearest, and for a module or function not found.
    """
    if text in table:
        return table[text]
    module, colon, function = text.partition(":")
    if not (module and colon and function):
        near = difflib.get_close_matches(text, table, n=1)
        raise ValueError(
            f"{option} must be one of {', '.join(table)}, or module:function, got {text!r}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )
    try:
        found = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, but what it imports is not
        raise ValueError(f"{option} {text}: there is no module {error.name!r}") from error
    except AttributeError as error:
        raise ValueError(f"{option} {text}: the module {module!r} has no function {function!r}") from error
    if not callable(found):
        raise ValueError(f"{option} {text}: expected a function, got a {type(found).__name__}")
    return found


def tried(wanted: str, call: Callable[[], T]) -> T:
    """Return what a call of a user's own function gives. Raises ValueError, what is wanted first, where it fails."""
    try:
        return call()
    except Exception as error:  # it is the user's, and may raise anything
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"{wanted}; it raises {type(error).__name__}: {first}") from error
