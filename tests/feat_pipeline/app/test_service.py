import io

import numpy as np
import pytest
from PIL import Image

from feat_pipeline.app.limits import RefusedError
from feat_pipeline.app.service import FAILED, NO_FACE
from tests.feat_pipeline.app.conftest import encoded, two_faces
from tests.feat_pipeline.fakes import draw_face

PLAIN = np.full((60, 70, 3), 90, np.uint8)


def test_the_page_answers_as_python_does(send, service, tmp_path):
    answer = send(encoded(two_faces()), "C:\\me\\party.png")
    path = tmp_path / "party.png"
    path.write_bytes(encoded(two_faces()))
    expected = service.predictor.predict(path)
    assert answer.name == "party.png" and answer.size == (200, 120) and len(answer.faces) == 2
    for shown, said in zip(answer.faces, expected, strict=True):
        found = shown.prediction
        assert found.probabilities == said.probabilities and found.aus == said.aus
        assert found.input == "party.png" and found.face == said.face
        np.testing.assert_array_equal(found.crop_rgb, said.crop_rgb)


def test_pictures_of_an_answer_are_small_jpegs(send):
    answer = send(encoded(two_faces()))
    assert Image.open(io.BytesIO(answer.picture)).size == (200, 120)
    assert [Image.open(io.BytesIO(face.picture)).size for face in answer.faces] == [(320, 320)] * 2


def test_a_photo_turned_by_its_camera_is_upright(send):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    turned = np.rot90(two_faces()).copy()
    assert send(encoded(turned, "PNG", exif=exif)).size == (200, 120)


def gif():
    buffer = io.BytesIO()
    Image.fromarray(two_faces()).save(buffer, "GIF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (encoded(PLAIN), "No face was found in this picture."),
        (encoded(PLAIN[:9, :11]), "This picture is only 11 × 9 pixels, too small to find a face in"),
        (encoded(np.zeros((250, 300, 3), np.uint8)), "This picture has 300 x 250 = 75,000 pixels"),
        (encoded(two_faces(), "JPEG")[:700], "This file is damaged or not all there; save or download"),
        (encoded(two_faces())[:-60], "This file is damaged or not all there; save or download it again"),
        (b"", "The file is empty."),
        (
            b"hello, I am a text",
            "This file is no JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000 picture; convert it",
        ),
        (b"<svg/>", "This file is no JPEG"),
        (gif(), "This is a GIF; send it under Video"),
        (b"\0\0\0\x18ftypheic0000", "This file is damaged or not all there"),
    ],
    ids=["faceless", "tiny", "huge", "cut-jpeg", "cut-png", "empty", "text", "svg", "gif", "heic"],
)
def test_what_cannot_be_answered_costs_one_friendly_sentence(send, content, told, tmp_path):
    with pytest.raises(RefusedError) as refusal:
        send(content)
    text = str(refusal.value)
    assert text.startswith(told) and text.endswith(".")
    assert str(tmp_path) not in text and "0123456789abcdef" not in text and "(" not in text


def test_of_an_animated_picture_the_first_is_looked_at_and_that_is_said(send):
    buffer = io.BytesIO()
    more = [Image.new("RGB", (200, 120), colour) for colour in ("navy", "white")]
    Image.fromarray(two_faces()).save(
        buffer, "WEBP", save_all=True, append_images=more, lossless=True, duration=50
    )
    answer = send(buffer.getvalue(), "moving.webp")
    assert len(answer.faces) == 2
    assert answer.notes == ("This file holds 3 pictures; only the first was looked at.",)


def test_of_a_crowd_the_largest_faces_are_answered_for(send):
    crowd = np.full((60, 260, 3), 30, np.uint8)
    for number, side in enumerate((10, 30, 12, 40, 20)):
        crowd = draw_face(crowd, 50 * number + 5, 10, side, smile=number)
    answer = send(encoded(crowd))
    assert [face.prediction.face for face in answer.faces] == [1, 3, 4]
    assert answer.notes == ("5 faces were found; the 3 largest are answered for.",)


def test_a_detector_that_breaks_is_no_business_of_the_sender(send, capsys):
    cursed = two_faces()
    cursed[0, 0] = (0, 0, 255)
    with pytest.raises(RefusedError) as refusal:
        send(encoded(cursed))
    assert str(refusal.value) == FAILED
    assert "this picture is cursed" in capsys.readouterr().err


def test_a_camera_may_show_nobody(service, tmp_path):
    path = tmp_path / "frame"
    path.write_bytes(encoded(PLAIN, "JPEG"))
    rgb, faces = service.camera_picture(path)
    assert rgb.shape == (60, 70, 3) and faces == []
    assert "upright" in NO_FACE
