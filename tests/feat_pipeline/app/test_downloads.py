import io
import json

import pandas as pd
import pytest

from feat_pipeline.app.downloads import make_download
from feat_pipeline.app.limits import RefusedError
from feat_pipeline.extract import BACKENDS
from feat_pipeline.runs.extract import extract
from tests.feat_pipeline.app.conftest import encoded, two_faces


@pytest.fixture(params=["FakeExtractor", "FakeExtractorWithMore"])
def fakes(request, fakes, monkeypatch):
    """A backend of AUs alone, and one with columns besides, as mediapipe, pyfeat and openface are."""
    monkeypatch.setitem(BACKENDS, "fake", f"tests.feat_pipeline.fakes:{request.param}")


@pytest.fixture
def answer(send):
    return send(encoded(two_faces()), "my party.png")


def test_the_csv_is_what_extract_writes(answer, service, tmp_path):
    photo = tmp_path / "my party.png"
    photo.write_bytes(encoded(two_faces()))
    extract(photo, out=tmp_path / "out", backend="fake", detector="fake")
    found = make_download("csv", answer, service.predictor)
    assert (found.name, found.kind) == ("my_party.csv", "text/csv")
    expected = pd.read_csv(tmp_path / "out" / "aus.csv").assign(input="my party.png")
    assert set(service.predictor.extractor.extra_columns) <= set(expected)
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(found.content)), expected)


def test_the_json_holds_what_every_model_said_and_why(answer, service):
    found = json.loads(make_download("json", answer, service.predictor).content)
    assert found["photo"] == "my party.png" and len(found["faces"]) == 2
    for told, face in zip(found["faces"], answer.faces, strict=True):
        said = face.prediction
        assert told["probabilities"] == said.probabilities and told["face"] == said.face
        assert told["explanations"]["tiny"]["rationale"] == said.explanations["tiny"].rationale
        assert told["w"] == pytest.approx(float(said.box_xyxy[2] - said.box_xyxy[0]))


def test_the_report_shows_both_faces_and_no_path_of_this_machine(answer, service):
    page = make_download("html", answer, service.predictor).content.decode()
    assert "Faces of my party.png" in page and page.count('<article class="card"') == 2
    assert "/tmp" not in page and "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize("what", ["exe", None, ["csv"], "../csv"])
def test_other_files_are_refused(answer, service, what):
    with pytest.raises(RefusedError, match="choose CSV, JSON or HTML"):
        make_download(what, answer, service.predictor)
