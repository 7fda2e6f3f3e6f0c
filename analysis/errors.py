"""The errors of both packages that are raised on purpose: one clear line each, for a person to read."""


class FeatPipelineError(Exception):
    """Base of every error that `analysis` or `feat_pipeline` raises on purpose."""

    def __str__(self) -> str:
        """Return the message as one line, whatever names out of files stand in it."""
        return " ".join(super().__str__().split())


class AnalysisError(FeatPipelineError, ValueError):
    """Base of every error that bad input raises in `analysis`."""


class TableError(AnalysisError):
    """An AU table that cannot be read or does not hold what its columns promise."""


class ModelError(AnalysisError):
    """A model file that cannot be used, or a model asked about AUs it was not fitted on."""


class FitError(AnalysisError):
    """Labels or rows from which no model can be fitted."""
