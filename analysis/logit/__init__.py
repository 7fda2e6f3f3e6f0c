"""The multinomial logit on Action Units: fitted, saved, asked."""

from analysis.logit.model import MultinomialLogit

__all__ = ["MultinomialLogit"]
