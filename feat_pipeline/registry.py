"""Registries: names of classes that are imported only when they are asked for, ours and other packages'."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar

from feat_pipeline.errors import FeatPipelineError, UnavailableError

T = TypeVar("T")


def with_registered(own: Mapping[str, str], group: str, what: str) -> dict[str, str]:
    """Return a registry's own entries and those that installed packages add; no class is imported for it.

    Parameters
    ----------
    own : mapping of str to str
        Name to ``'module:Class'``. They come first, and no other package's takes their place.
    group : str
        Of the entry points, such as ``feat_pipeline.models``.
    what : str
        What the registry holds, in the plural, for the warning.

    Returns
    -------
    dict of str to str

    Warns
    -----
    UserWarning
        Some package's metadata are damaged; what could be read until then is kept.
    """
    known = dict(own)
    try:
        for entry in entry_points(group=group):
            known.setdefault(entry.name, entry.value)
    except Exception as error:  # some package's metadata are damaged, and no business of ours
        warnings.warn(f"{what} of other packages cannot be read: {error}", stacklevel=3)
    return known


def resolve(entry: str) -> Any:
    """Import what an entry such as ``'feat_pipeline.detect.mtcnn:MtcnnDetector'`` names."""
    module_name, name = entry.partition("[")[0].split(":")  # another package's may name an extra, 'm:C [gpu]'
    return getattr(importlib.import_module(module_name.strip()), name.strip())


def resolve_registered(entry: str) -> Any:
    """Import what an entry names, whoever registered it.

    Raises
    ------
    ImportError
        It cannot be imported, for whatever reason: its message is one line that names the entry.
    """
    try:
        return resolve(entry)
    except Exception as error:  # the code of another package may raise anything when it is imported
        raise ImportError(
            f"{entry} cannot be loaded ({error_text(error)}); update or remove the package that brings it"
        ) from error


def made_of(factory: Callable[..., T], what: str, **options: object) -> T:
    """Build what a registered class makes, whoever wrote it.

    Parameters
    ----------
    factory : callable
    what : str
        How it is called in the error, such as ``'backend mine'``.
    **options
        Its keyword arguments.

    Raises
    ------
    UnavailableError
        It raised something that this package does not raise on purpose.
    """
    try:
        return factory(**options)
    except FeatPipelineError:
        raise
    except Exception as error:  # the code of another package may raise anything
        raise UnavailableError(f"{what} cannot be made ({error_text(error)})") from error


def error_text(error: Exception) -> str:
    """Return an error's type and message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
