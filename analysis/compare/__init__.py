"""Models on the same faces: scores with intervals, paired tests, theory."""

from analysis.compare.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
