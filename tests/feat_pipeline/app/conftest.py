import io

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.app.limits import Limits
from feat_pipeline.app.service import FaceService
from feat_pipeline.app.uploads import Uploads
from tests.feat_pipeline.fakes import draw_face


@pytest.fixture
def service(fakes, model_dir):
    """What measures, with the fake detector, the fake backend and a small regression."""
    return FaceService(Limits(photo_megapixels=0.05, faces=3), detector="fake", models=(model_dir,))


@pytest.fixture
def uploads(tmp_path):
    folder = tmp_path / "uploads"
    folder.mkdir()
    return Uploads(folder, Limits(photo_mb=0.1, video_mb=0.2, together_mb=0.25))


def two_faces():
    """A smile and a frown, 200 px wide and 120 high."""
    picture = draw_face(np.full((120, 200, 3), 30, np.uint8), 20, 30, 40, smile=4)
    return draw_face(picture, 110, 30, 48, smile=0, frown=4)


def encoded(picture_rgb, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(picture_rgb).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def send(service, tmp_path):
    """Let the service answer for the bytes of a photo."""

    def answer(content, name="photo.png"):
        path = tmp_path / "0123456789abcdef"
        path.write_bytes(content)
        return service.photo(path, name)

    return answer
