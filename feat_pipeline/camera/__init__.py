"""Faces in front of a camera, explained while they are seen."""

from feat_pipeline.camera.live import LiveResult, watch
from feat_pipeline.sources.camera import CameraSource, open_source

__all__ = ["CameraSource", "LiveResult", "open_source", "watch"]
