"""Columns that an AU table has beside its AUs."""

from __future__ import annotations

ID_COLUMNS = ("input", "frame", "time_s", "face", "x", "y", "w", "h", "confidence")
POSE_COLUMNS = ("pose_Rx", "pose_Ry", "pose_Rz")
LANDMARK_COLUMNS = tuple(f"{axis}_{point}" for axis in "xy" for point in range(68))
