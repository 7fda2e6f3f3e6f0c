import numpy as np
import pytest

from feat_pipeline.predict import Predictor


@pytest.fixture
def faces(fakes, model_dir, photos):
    return Predictor(models=[model_dir]).predict(photos / "two.png")


def test_a_prediction_prints_where_it_is_and_what_is_said_of_it(faces, photos):
    place = f"FacePrediction({str(photos / 'two.png')!r}, frame 0, face"
    said = [f"{face.label()} {100 * face.probabilities['tiny'][face.label()]:.0f} %" for face in faces]
    assert [repr(face) for face in faces] == [
        f"{place} 0, tiny: {said[0]})".replace("100 %", "> 99 %"),
        f"{place} 1, tiny: {said[1]})".replace("100 %", "> 99 %"),
    ]


def test_a_prediction_shows_itself_in_a_notebook(faces):
    html = faces[0]._repr_html_()
    assert faces[0].explanations["tiny"].rationale.replace(">", "&gt;") in html
    assert "two.png" in html and html.count("data:image/jpeg;base64,") == 1


def test_a_face_that_could_not_be_measured_shows_itself_too(fakes, model_dir):
    picture = np.full((80, 90, 3), 30, np.uint8)
    picture[10:60, 20:70] = (200, 255, 0)
    (face,) = Predictor(models=[model_dir]).predict(picture)
    assert repr(face) == "FacePrediction('array', frame 0, face 0, no answer)"
    assert "could not be measured" in face._repr_html_()
