"""The one validated table of faces: its columns, readers, writers and dialects."""

from analysis.autable.table import AUTable
from analysis.columns import ID_COLUMNS, LANDMARK_COLUMNS, POSE_COLUMNS

__all__ = ["ID_COLUMNS", "LANDMARK_COLUMNS", "POSE_COLUMNS", "AUTable"]
