"""What `predict` shows of photos: crops, contact sheets, several models, emoji and hidden faces."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.logit import MultinomialLogit
from feat_pipeline.commands import predict as photos_command
from feat_pipeline.errors import UsageError
from feat_pipeline.output.drawing import Drawing
from feat_pipeline.sources.photos import read_photo
from tests.feat_pipeline.conftest import au_rows, save
from tests.feat_pipeline.fakes import FACE_RED, draw_face


@pytest.fixture
def predict(fakes, run, photos, model_dir, tmp_path):
    """Run predict on the photos; the results lie in out/."""

    def run_predict(*arguments, sources=(photos,), model=("--model", model_dir)):
        return run("predict", *sources, *model, "--out", tmp_path / "out", *arguments)

    return run_predict


@pytest.fixture
def contrary(tmp_path):
    """A model that takes smiles for anger."""
    aus, labels = au_rows(seed=9)
    swapped = np.array([{"happy": "angry", "angry": "happy"}.get(label, label) for label in labels])
    MultinomialLogit().fit(aus, swapped).save(tmp_path / "contrary")
    return tmp_path / "contrary"


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_crops_are_named_by_photo_and_face_and_do_not_collide(predict, photos, tmp_path):
    (photos / "sub" / "two.png").write_bytes((photos / "two.png").read_bytes())
    assert predict("--crops")[0] == 0
    out = tmp_path / "out"
    assert names(out / "crops") == [
        "000000_two_0.png",
        "000000_two_1.png",
        "000001_one_0.png",
        "000002_two_0.png",
        "000002_two_1.png",
    ]
    rgb = read_photo(out / "crops" / "000001_one_0.png")
    assert rgb.shape == (160, 160, 3) and rgb[80, 80].tolist() == [200, 175, 0]  # whole, unlike JPEG
    sheet = read_photo(out / "sheets" / "000001.jpg")
    assert names(out / "sheets") == ["000001.jpg"] and sheet.shape[1] == 3 * 174 - 14 + 40
    assert json.loads((out / "run.json").read_text())["parameters"]["crops"] is True


def test_contact_sheets_are_cut_into_pages(predict, tmp_path, monkeypatch):
    monkeypatch.setattr("feat_pipeline.render.FACES_A_PAGE", 2)
    assert predict("--crops")[0] == 0
    assert names(tmp_path / "out" / "sheets") == ["000001.jpg", "000002.jpg"]


def test_overwriting_removes_crops_and_sheets_but_nothing_of_the_users(predict, photos, tmp_path):
    predict("--crops", "--annotate")
    (tmp_path / "out" / "crops" / "mine.png").write_bytes(b"x")
    code, _, err = predict("--crops")
    assert code == 2 and "already holds annotated, crops" in err
    assert predict("--overwrite", sources=[photos / "sub"])[0] == 0
    assert names(tmp_path / "out" / "crops") == ["mine.png"] and names(tmp_path / "out" / "sheets") == []


def test_results_among_the_photos_are_no_photos(fakes, run, photos, model_dir):
    arguments = ["predict", photos, "--model", model_dir, "--out", photos, "--crops", "--overwrite"]
    for _ in range(2):
        code, _, err = run(*arguments)
        assert code == 0 and "3 inputs, 3 faces" in err


def test_models_side_by_side_and_where_they_disagree(predict, contrary, model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(photos_command, "SHIPPED", (str(model_dir), str(contrary)))
    code, _, err = predict("--all-models", "--annotate", "--tta", model=("--model", model_dir))
    assert code == 2 and "different AU backends" not in err  # the second model was fitted on an unnamed one
    named = MultinomialLogit.load(contrary)
    named.backend_ = "fake"
    named.save(contrary)
    code, _, err = predict("--all-models", "--annotate", model=("--model", model_dir))
    assert code == 0 and "3 faces, models disagree on 3, skipped" in err
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert table["model"].tolist() == ["tiny", "contrary"] * 3 and not table["agree"].any()
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["disagreements"] == 3 and told["models"] == ["tiny", "contrary"]
    drawn = {
        tuple(c)
        for c in read_photo(next((tmp_path / "out" / "annotated").glob("*_one.jpg")))[::2, ::2]
        .reshape(-1, 3)
        .tolist()
    }
    near = lambda colour: any(np.abs(np.array(c) - colour).max() < 12 for c in drawn)  # noqa: E731
    assert near((240, 228, 66)) and near((213, 94, 0))


def test_one_model_has_no_column_of_agreement(predict, tmp_path):
    assert predict()[0] == 0
    assert "agree" not in pd.read_csv(tmp_path / "out" / "predictions.csv").columns


def test_tta_is_told_and_measures_in_the_mirror_too(predict, tmp_path):
    assert predict("--tta")[0] == 0
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert told["parameters"]["tta"] is True
    assert told["looks"] == {"tiny": "AUs of the face and its mirror image, averaged"}
    labels = pd.read_csv(tmp_path / "out" / "predictions.csv")["label"].tolist()
    assert sorted(labels) == ["angry", "happy", "happy"]


@pytest.mark.parametrize("how", ["blur", "pixelate", "emoji"])
def test_hidden_faces_are_on_no_picture_that_is_written(predict, tmp_path, how):
    assert predict("--annotate", "--crops")[0] == 0
    out = tmp_path / "out"
    pictures = [path for path in out.rglob("*") if path.suffix in (".jpg", ".png")]
    plain = {path: read_photo(path).astype(int) for path in pictures}
    assert predict("--hide", how, "--annotate", "--crops", "--overwrite")[0] == 0
    for path in pictures:
        hidden = read_photo(path).astype(int)
        assert hidden.shape == plain[path].shape and np.abs(hidden - plain[path]).max() > 40
        if path.parent.name in ("crops", "faces") and how == "emoji":
            assert np.abs(hidden[70:90, 70:90] - plain[path][70:90, 70:90]).mean() > 20


def test_hide_alone_writes_copies_without_boxes_even_of_faces_that_failed(predict, photos, tmp_path):
    picture = np.full((100, 90, 3), 30, np.uint8)
    picture[20:70, 20:70] = (FACE_RED, 255, 0)  # the fake backend fails on it
    save(picture, photos / "sub" / "one.png")
    assert predict("--hide", "emoji", sources=[photos / "sub"])[0] == 0
    (copy,) = (tmp_path / "out" / "annotated").iterdir()
    rgb = read_photo(copy).astype(int)
    assert rgb.shape == picture.shape and np.ptp(rgb[35, 45]) < 30  # a grey disc
    assert not ((rgb[..., 0] > 180) & (rgb[..., 1] > 230) & (rgb[..., 2] < 60)).any()


def test_emoji_alone_leave_the_pictures_of_faces_as_they_are(predict, photos, tmp_path):
    assert predict("--emoji", sources=[photos / "sub"])[0] == 0
    out = tmp_path / "out"
    assert read_photo(out / "faces" / "000000.jpg")[80, 80].tolist() == pytest.approx([200, 175, 0], abs=6)
    assert names(out / "annotated") == ["000000_one.jpg"]
    rgb = read_photo(out / "annotated" / "000000_one.jpg")
    assert ((rgb[..., 0] > 225) & (rgb[..., 1] > 160) & (rgb[..., 2] < 140)).sum() > 1000  # its skin


def test_ones_own_emoji_are_laid_on_by_the_first_models_answer(predict, photos, tmp_path):
    folder = tmp_path / "emoji"
    folder.mkdir()
    for number, emotion in enumerate(("angry", "happy", "neutral")):
        Image.new("RGBA", (40, 40), (20, 60 + 90 * number, 220, 255)).save(folder / f"{emotion}.png")
    assert predict("--emoji", "--emoji-set", folder, sources=[photos / "two.png"])[0] == 0
    rgb = read_photo(tmp_path / "out" / "annotated" / "000000_two.jpg").astype(int)
    assert np.abs(rgb[50, 40] - (20, 150, 220)).max() < 12 and np.abs(rgb[54, 134] - (20, 60, 220)).max() < 12
    (folder / "happy.png").unlink()
    code, out, err = predict("--emoji", "--emoji-set", folder, "--overwrite")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "happy.png is missing; expected are angry.png, happy.png, neutral.png" in err
    assert names(tmp_path / "out" / "annotated") == ["000000_two.jpg"]  # the results before are still there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--emoji", "--hide", "blur"], "emoji and hide blur: a face is covered in one way"),
        (["--emoji-set", "."], "emoji_set: its pictures are laid on by --emoji or --hide emoji"),
        (["--emoji-set", ".", "--hide", "blur"], "emoji_set: its pictures are laid on by"),
    ],
)
def test_options_that_contradict_each_other_are_refused_before_the_work(
    predict, tmp_path, arguments, message
):
    code, out, err = predict(*arguments)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_way_of_hiding_is_refused_from_python_too():
    with pytest.raises(UsageError, match="hide: expected one of blur, pixelate, emoji, got 'mask'"):
        Drawing(hide="mask")


def test_the_options_stand_in_the_help(run):
    _, out, _ = run("predict", "-h")
    for option in (
        "--crops",
        "--all-models",
        "--tta",
        "--emoji",
        "--emoji-set",
        "--hide {blur,pixelate,emoji}",
    ):
        assert option in out


def test_a_face_that_fills_its_photo_is_drawn_with_every_option(predict, tmp_path):
    path = save(draw_face(np.zeros((48, 48, 3), np.uint8), 2, 2, 44, smile=4), tmp_path / "crop.png")
    code, _, err = predict("--annotate", "--crops", "--hide", "pixelate", "--tta", sources=[path])
    assert code == 0, err
