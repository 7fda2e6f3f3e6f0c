"""Why a face was given its emotion, how sure that is, and what would change it."""

from analysis.explain.explanation import FaceExplanation
from analysis.explain.faces import explain, explain_many

__all__ = ["FaceExplanation", "explain", "explain_many"]
