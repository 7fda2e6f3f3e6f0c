"""The errors of the package: one clear line each, for a person to read."""


class AnalysisError(ValueError):
    """Base of every error that bad input raises in `analysis`."""

    def __str__(self) -> str:
        """Return the message as one line, whatever names out of files stand in it."""
        return " ".join(super().__str__().split())


class TableError(AnalysisError):
    """An AU table that cannot be read or does not hold what its columns promise."""


class ModelError(AnalysisError):
    """A model file that cannot be used, or a model asked about AUs it was not fitted on."""


class FitError(AnalysisError):
    """Labels or rows from which no model can be fitted."""
