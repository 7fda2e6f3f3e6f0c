"""Exceptions a caller can catch, the exit codes of the program, and what to install for what is missing.

Every message is one line that names the file or parameter, what was expected, what came and what to do next.
"""

from __future__ import annotations

from importlib.util import find_spec

from analysis.errors import FeatPipelineError

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2

#: Packages that are named otherwise than their module.
_PACKAGES = {"feat": "py-feat", "skimage": "scikit-image"}


class InputError(FeatPipelineError, ValueError):
    """A photo, folder, array or table that cannot be read or does not fit."""


class OutputError(FeatPipelineError, OSError):
    """A result that cannot be written."""


class UnavailableError(FeatPipelineError, RuntimeError):
    """A backend or detector that cannot run here; the message says what mends it."""


class UsageError(FeatPipelineError, ValueError):
    """A parameter or an option with a wrong value."""


class TrainingError(FeatPipelineError, RuntimeError):
    """A training that cannot go on; the message says where its last good state lies."""


def require(*modules: str, extra: str, what: str) -> None:
    """Raise where a module is not installed that an extra of this package brings; none is imported.

    Parameters
    ----------
    *modules : str
        Such as ``'torch'``.
    extra : str
        A name out of ``[project.optional-dependencies]``.
    what : str
        What cannot run without them, such as a command.

    Raises
    ------
    UnavailableError
        Its message names the first that is missing and the command that installs them all.
    """
    for module in modules:
        if not _installed(module):
            package = _PACKAGES.get(module, module)
            raise UnavailableError(
                f"{what}: the package {package} is not installed; run: pip install 'feat-pipeline[{extra}]'"
            )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: in sys.modules without a spec
        return False
