"""Options of a run, each declared once: as a field of a dataclass.

The parser of the command line, the run's signature and docstring, and the parameters in ``run.json`` are
derived from it.
"""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from textwrap import fill, indent
from typing import Any, Self, TypeVar

from feat_pipeline.errors import UsageError

T = TypeVar("T")
Run = TypeVar("Run", bound=Callable[..., Any])
#: The entry of a docstring that `takes` replaces; an interpreter may have dedented it.
_ENTRY = re.compile(r"^( *)\*\*options : .*\n(?:\1 +\S.*\n)*", re.MULTILINE)
_WIDTH = 100


@dataclass(frozen=True)
class Declared:
    """What is declared of an option besides its name, type and default.

    Parameters
    ----------
    help : str
        A phrase, in which ``%(default)s`` stands for the default.
    more : str
        Further sentences, which the docstring has and the command line has not.
    flag : str, optional
        On the command line, where the name with dashes is not it.
    cli : bool
        Whether the command line has it.
    parse : callable, optional
        Reads the text of the command line; by default the default's type.
    choices : iterable of str, or callable that returns one, optional
        A tuple is checked wherever the value comes from. Of a registry, to which entries may be added, give
        the registry or a callable: its values are checked where they are looked up.
    metavar : str, optional
    repeated : bool
        Whether the flag may be repeated, and the value is a list.
    group : str
        Heading in the help.
    one_of : str
        Exactly one of the options with the same name here is to be given.
    logged : bool
        Whether ``run.json`` has it.
    """

    help: str
    more: str = ""
    flag: str | None = None
    cli: bool = True
    parse: Callable[[str], object] | None = None
    choices: Iterable[str] | Callable[[], Iterable[str]] | None = None
    metavar: str | None = None
    repeated: bool = False
    group: str = ""
    one_of: str = ""
    logged: bool = True


def option(default: T, help: str, **declared: Any) -> T:
    """Declare an option with its default, as the field of a dataclass; see `Declared`."""
    return field(default=default, metadata={"declared": Declared(help, **declared)})


def required(help: str, **declared: Any) -> Any:
    """Declare an option that has to be given."""
    return field(metadata={"declared": Declared(help, **declared)})


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run; a subclass declares each as a field by `option` or `required`.

    Raises
    ------
    UsageError
        A value is none of its choices.
    """

    def __post_init__(self) -> None:
        for name, _, declared in declarations(type(self)):
            value, choices = getattr(self, name), declared.choices
            if isinstance(choices, tuple) and value is not None and value not in choices:
                raise UsageError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """Take the keywords of a call.

        Raises
        ------
        TypeError
            One is unknown, or one that is required is missing.
        """
        known = [each.name for each in fields(cls)]
        unknown = [name for name in options if name not in known]
        if unknown:
            raise TypeError(f"unknown option {', '.join(unknown)}; expected some of {', '.join(known)}")
        return cls(**options)

    def parameters(self) -> dict[str, Any]:
        """Return the options for ``run.json``, in their order."""
        logged = [name for name, _, declared in declarations(type(self)) if declared.logged]
        return {name: _plain(getattr(self, name)) for name in logged}


def declarations(kind: type[Options]) -> Iterator[tuple[str, Any, Declared]]:
    """Yield the name of each option, its default (or `dataclasses.MISSING`) and what is declared of it."""
    for each in fields(kind):
        yield each.name, each.default, each.metadata["declared"]


def takes(kind: type[Options]) -> Callable[[Run], Run]:
    """Put the options of `kind` into the signature and the docstring of a run that takes ``**options``."""

    def describe(run: Run) -> Run:
        own = inspect.signature(run)
        kept = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = inspect.signature(kind).parameters.values()
        run.__signature__ = own.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
        run.__doc__ = _ENTRY.sub(lambda entry: indent(_entries(kind), entry[1]), run.__doc__ or "")
        return run

    return describe


def _entries(kind: type[Options]) -> str:
    """Return the options as entries of numpydoc."""
    lines = []
    for each in fields(kind):
        declared = each.metadata["declared"]
        text = f"{declared.help}. {declared.more}".strip().replace("%(default)s", str(each.default))
        allowed = declared.choices if isinstance(declared.choices, tuple) else ()
        type_ = f"{{{', '.join(map(repr, allowed))}}}" if allowed else each.type
        lines.append(f"{each.name} : {type_}\n{indent(fill(text[:1].upper() + text[1:], _WIDTH), '    ')}\n")
    return "".join(lines)


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return None if value == math.inf else value
