"""Errors, tests, odds ratios and marginal effects of a fitted regression, where they hold."""

from analysis.inference.inference import Inference, infer

__all__ = ["Inference", "infer"]
