"""Exceptions a caller can catch, and the exit codes of the program.

Every message is one line that names the file or parameter, what was expected, what came and what to do next.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2


class FeatPipelineError(Exception):
    """Base of all errors that feat_pipeline raises on purpose."""

    def __str__(self) -> str:
        """Return the message as one line, whatever names out of files stand in it."""
        return " ".join(super().__str__().split())


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
