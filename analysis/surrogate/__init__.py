"""Any classifier"s answers explained by Action Units, and how far that holds."""

from analysis.surrogate.surrogate import Surrogate, fit_surrogate

__all__ = ["Surrogate", "fit_surrogate"]
