import numpy as np
import pytest

from feat_pipeline.app import markup
from feat_pipeline.app.limits import Limits, RefusedError
from feat_pipeline.app.service import FaceService
from feat_pipeline.app.videos import answer_video
from feat_pipeline.extract import BACKENDS
from tests.feat_pipeline.fakes import draw_face
from tests.feat_pipeline.sources.made_videos import write_video

SIZE = (160, 120)


@pytest.fixture(params=["FakeExtractor", "FakeExtractorWithMore"])
def service(request, fakes, model_dir, monkeypatch):
    """What measures, with a backend of AUs alone and with one that has columns besides."""
    monkeypatch.setitem(BACKENDS, "fake", f"tests.feat_pipeline.fakes:{request.param}")
    return FaceService(Limits(video_s=1.0), detector="fake", models=(model_dir,))


def smile(i):
    return draw_face(np.full((SIZE[1], SIZE[0], 3), 30, np.uint8), 20 + i // 4, 30, 60, smile=4)


def uploaded(folder, draw, frames=38):
    """A video as it lies among the uploads: without a suffix."""
    path = write_video(
        folder / "made.mp4", frames, draw=draw, size=SIZE, options={"qp": "6"}, pixels="yuv444p"
    )
    return path.rename(folder / "0123456789abcdef")


def test_a_video_gets_its_series_and_its_film(service, tmp_path):
    answer = answer_video(service, uploaded(tmp_path, smile), "C:\\me\\party.mp4")
    assert (answer.name, answer.faces, answer.rows) == ("party.mp4", 1, [("happy", 1.0)])
    assert answer.frames == 15  # of the first second, a frame each fifteenth
    assert answer.notes == ("Only the first 1 of its 2 seconds were looked at.",)
    assert answer.film[4:8] == b"ftyp" and list(tmp_path.iterdir()) == []
    titles = [axes.get_ylabel() + axes.get_title() for axes in answer.figure.axes]
    assert any("AU12" in title for title in titles)
    html = markup.video(answer)
    assert "happy" in html and "data:video/mp4;base64," in html and "party-annotated.mp4" in html


def test_a_video_without_a_face_is_refused(service, tmp_path):
    plain = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    with pytest.raises(RefusedError, match="No face was found in this video"):
        answer_video(service, uploaded(tmp_path, lambda i: plain, 5), "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_video_costs_one_sentence(service, tmp_path):
    path = tmp_path / "0123456789abcdef"
    path.write_bytes(b"hello")
    with pytest.raises(RefusedError) as refusal:
        answer_video(service, path, "a.mp4")
    assert str(refusal.value).endswith(".") and str(tmp_path) not in str(refusal.value)
