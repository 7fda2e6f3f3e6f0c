"""Folders of pictures: one folder a class, CK+ and JAFFE."""

import numpy as np
import pytest
from PIL import Image

from analysis.errors import FitError
from feat_pipeline.datasets.read import kind_of, read_faces
from feat_pipeline.detect import Detection
from feat_pipeline.errors import InputError, UsageError


def save(path, value=100, size=(48, 48), colour=False):
    """A picture, width x height, all of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if colour else (size[1], size[0])
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "faces" / "Happiness" / "Ann_1.png", 10)
    save(tmp_path / "faces" / "Happiness" / "more" / "Bob_1.jpg", 20, size=(90, 60), colour=True)
    save(tmp_path / "faces" / "angry" / "Ann_2.bmp", 30, size=(20, 31))
    save(tmp_path / "faces" / "bored" / "Cat_7.tiff", 40, size=(200, 100))
    return tmp_path / "faces"


def test_reads_a_folder_a_class_whatever_the_pictures_are(folder):
    faces = read_faces(folder, person=r"([A-Z][a-z]+)_\d")
    assert faces.classes == ("angry", "happy", "bored")
    assert faces.names.tolist() == [
        "Happiness/Ann_1.png",
        "Happiness/more/Bob_1.jpg",
        "angry/Ann_2.bmp",
        "bored/Cat_7.tiff",
    ]
    assert faces.emotions.tolist() == ["happy", "happy", "angry", "bored"]
    assert faces.images.shape == (4, 48, 48) and faces.images.dtype == np.uint8
    assert faces.images.mean((1, 2)).tolist() == [10, 20, 30, 40]
    assert faces.groups.tolist() == ["Ann", "Bob", "Ann", "Cat"]
    assert set(faces.usage) == {""} and faces.skipped == ()
    assert read_faces(folder, size=64).images.shape == (4, 64, 64)
    assert read_faces(folder).groups is None


def test_reads_folders_of_parts(tmp_path):
    for part in ("train", "Test"):
        for kind in ("sad", "fear"):
            save(tmp_path / part / kind / "1.png")
    faces = read_faces(tmp_path)
    assert faces.usage.tolist() == ["Test", "Test", "train", "train"]
    assert faces.emotions.tolist() == ["fear", "sad"] * 2


@pytest.mark.parametrize("layout", ["{part}/{kind}/{name}", "{kind}/{part}/{name}"])
@pytest.mark.parametrize("name", ["im_{i}.png", "S{i:03d}_001_00000010.png"])
def test_parts_are_no_classes_in_folders_of_plain_and_of_ckplus_names(tmp_path, layout, name):
    for i, (part, kind) in enumerate(
        [("Train", "anger"), ("Train", "happy"), ("VAL", "anger"), ("VAL", "happy")]
    ):
        save(tmp_path / layout.format(part=part, kind=kind, name=name.format(i=i)))
    faces = read_faces(tmp_path)
    assert sorted(zip(faces.usage, faces.emotions, strict=True)) == [
        ("Train", "angry"), ("Train", "happy"), ("VAL", "angry"), ("VAL", "happy"),
    ]  # fmt: skip
    assert (faces.groups is None) == name.startswith("im")


def test_parts_count_too_where_names_or_a_csv_tell_the_emotion(tmp_path):
    for name in ("train/KA.AN1.39.png", "train/KA.HA1.29.png", "test/YM.AN1.61.png", "test/YM.HA1.52.png"):
        save(tmp_path / "jaffe" / name)
    faces = read_faces(tmp_path / "jaffe", detector=BrightParts())
    assert faces.usage.tolist() == ["test", "test", "train", "train"]
    rows = [f"{kind}{i}.png,{kind}" for kind in ("happy", "sad") for i in range(2)]
    for i, row in enumerate(rows):
        save(tmp_path / "csv" / ("training", "private")[i % 2] / row.split(",")[0])
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(["image,label", *rows]))
    assert read_faces(tmp_path / "csv", labels=labels).usage.tolist() == ["private"] * 2 + ["training"] * 2


def test_parts_beside_other_folders_are_refused(tmp_path):
    for kind in ("train", "test", "happy"):
        save(tmp_path / kind / "sad" / "1.png")
    with pytest.raises(FitError, match="look like parts of a data set, and happy beside them"):
        read_faces(tmp_path)


def test_a_picture_keeps_its_proportions_and_its_pixels(tmp_path):
    wide = np.zeros((24, 48), np.uint8)
    wide[:, 24:] = 200
    exact = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    for kind, pixels in (("sad", wide), ("happy", exact)):
        (tmp_path / kind).mkdir()
        Image.fromarray(pixels).save(tmp_path / kind / "x.png")
    faces = read_faces(tmp_path)
    assert np.array_equal(faces.images[0], exact)
    stretched = np.vstack([wide[:1]] * 12 + [wide] + [wide[:1]] * 12)
    assert np.array_equal(faces.images[1], stretched)


def test_names_and_skips_unreadable_pictures(folder):
    (folder / "angry" / "cut.png").write_bytes((folder / "Happiness" / "Ann_1.png").read_bytes()[:60])
    (folder / "angry" / "text.jpg").write_text("no picture")
    (folder / "angry" / "notes.txt").write_text("passed over")
    faces = read_faces(folder)
    assert len(faces) == 4
    assert len(faces.skipped) == 2
    assert faces.skipped[0].startswith(f"{folder / 'angry' / 'cut.png'}: is damaged or truncated")
    assert faces.skipped[1].startswith(f"{folder / 'angry' / 'text.jpg'}: is no JPEG")


def test_says_that_a_class_is_empty(folder):
    (folder / "sad").mkdir()
    with pytest.raises(InputError, match=r"sad: the folder holds no .* each class needs pictures"):
        read_faces(folder)
    (folder / "sad" / "x.png").write_text("broken")
    with pytest.raises(InputError, match=r"class sad holds no usable picture \(.*x.png: is no JPEG"):
        read_faces(folder)


def test_says_that_there_is_one_class_or_none(tmp_path):
    save(tmp_path / "happy" / "1.png")
    with pytest.raises(InputError, match="expected pictures of two or more classes, got happy"):
        read_faces(tmp_path)
    save(tmp_path / "joy" / "1.png")  # the same emotion
    with pytest.raises(InputError, match="two or more classes, got happy"):
        read_faces(tmp_path)
    with pytest.raises(InputError, match="expected one sub-folder a class"):
        read_faces(tmp_path / "happy")
    with pytest.raises(InputError, match="no such file or folder"):
        read_faces(tmp_path / "absent")


@pytest.mark.parametrize(
    ("person", "error", "said"),
    [
        ("(", UsageError, "is no regular expression"),
        ("[A-Z]+", UsageError, "with a group in brackets"),
        (r"(\d{5})", InputError, r"finds nobody in 'Happiness/Ann_1.png'"),
    ],
)
def test_says_what_is_wrong_with_an_expression_for_persons(folder, person, error, said):
    with pytest.raises(error, match=said):
        read_faces(folder, person=person)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "photos"},
        {"size": 2},
        {"kind": "npz", "person": "(.)"},
        {"kind": "jaffe", "labels": "labels.csv"},
        {"votes": "fer2013new.csv"},
    ],
)
def test_refuses_wrong_options(folder, options):
    with pytest.raises(UsageError):
        read_faces(folder, **options)


def test_reads_pictures_whose_emotions_stand_in_a_csv(tmp_path):
    faces = tmp_path / "faces"
    for name in ("Ann_1.jpg", "Ann_2.jpg", "Bob_1.png", "more/Bob_2.jpg", "Cat_1.jpg", "Dan_1.jpg"):
        save(faces / name)
    rows = ["628,Ann_1.jpg,HAPPINESS", "dw,Ann_2.jpeg,anger", "628,Bob_1.png,bored", "1,Bob_2.jpg,Happy"]
    rows += ["7,Cat_1.jpg,sadness", "8,Cat_1.jpg,SURPRISE", "9,Eve_1.jpg,fear", "9,Bob_1.png,bored"]
    labels = tmp_path / "legend.csv"
    labels.write_text("\n".join(["user.id,Image,emotion", *rows]) + "\n")
    found = read_faces(faces, labels=labels, person=r"([A-Z][a-z]+)_\d")
    assert found.names.tolist() == ["Ann_1.jpg", "Ann_2.jpg", "Bob_1.png", "more/Bob_2.jpg"]
    assert found.emotions.tolist() == ["happy", "angry", "bored", "happy"]
    assert found.groups.tolist() == ["Ann", "Ann", "Bob", "Bob"] and found.skipped == ()
    assert found.notes == (
        "1 picture is labelled in two ways and left out, such as Cat_1.jpg",
        f"2 pictures are without a label in {labels} and left out, such as Cat_1.jpg",
    )
    assert read_faces(faces, labels=labels, classes=["angry", "happy"]).classes == ("angry", "happy")
    labels.write_text("image,emotion\nx.jpg,happy\n")
    with pytest.raises(FitError, match=r"labels name 'x.jpg', the table 'Ann_1.jpg'"):
        read_faces(faces, labels=labels)


class BrightParts:
    """A detector that finds the brightest rectangle, and a small one beside it."""

    name = "bright"

    def detect(self, frame_rgb):
        rows, columns = np.nonzero(frame_rgb[..., 0] > 60)
        if not len(rows):
            return []
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        return [Detection(np.array([0, 0, 3, 3], np.float32), 0.99), Detection(box, 0.9)]


def half_body(path, value):
    """A head, 60 px, in a picture of 256 px."""
    picture = np.full((256, 256), 20, np.uint8)
    picture[40:100, 90:150] = value
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture).save(path)


def test_reads_jaffe_by_its_names_and_cuts_the_largest_face(tmp_path):
    half_body(tmp_path / "KA.AN1.39.tiff", 100)
    half_body(tmp_path / "KA.HA2.30.tiff", 150)
    half_body(tmp_path / "YM.SU10.5.tiff", 200)
    half_body(tmp_path / "YM.SU1.58.tiff", 210)
    half_body(tmp_path / "TM.NE3.179.tiff", 40)  # no face
    half_body(tmp_path / "UY.NE3.179.tiff", 220)
    faces = read_faces(tmp_path, detector=BrightParts())
    assert kind_of(tmp_path) == "jaffe"
    assert faces.emotions.tolist() == ["angry", "happy", "neutral", "surprise"]
    assert faces.groups.tolist() == ["KA", "KA", "UY", "YM"]
    assert faces.images.reshape(4, -1).min(1).tolist() == [100, 150, 220, 210]
    assert [line.split(": ")[1] for line in faces.skipped] == [
        "its name tells no person; expected ([A-Z]{2})\\.(AN|DI|FE|HA|NE|SA|SU)\\d\\.\\d+",
        "no face was found in it",
    ]
    with pytest.raises(UsageError, match="head and shoulders"):
        read_faces(tmp_path)


def test_reads_ckplus_by_its_names(tmp_path):
    save(tmp_path / "anger" / "S005_001_00000011.png", 10)
    save(tmp_path / "contempt" / "S138_008_00000007.png", 20)
    save(tmp_path / "contempt" / "face.png", 20)
    faces = read_faces(tmp_path)
    assert kind_of(tmp_path) == "ckplus"
    assert faces.emotions.tolist() == ["angry", "contempt"] and faces.groups.tolist() == ["S005", "S138"]
    assert [line.split(": ")[0] for line in faces.skipped] == [str(tmp_path / "contempt" / "face.png")]


@pytest.mark.shared
def test_the_crops_of_ckplus(shared):
    faces = read_faces(shared / "data" / "ckplus_dev")
    assert faces.images.shape == (495, 48, 48) and len(set(faces.groups)) == 59
    assert len({name.rsplit("/", 1)[1][:8] for name in faces.names}) == 165
    assert faces.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "contempt")
    assert np.bincount(faces.labels).tolist() == [66, 96, 42, 102, 42, 120, 27]


@pytest.mark.parametrize(("person", "groups"), [(None, ["S005", "S138"]), (r"S\d\d(\d)", ["5", "8"])])
def test_ckplus_takes_an_expression_for_persons_though_its_names_tell_them(tmp_path, person, groups):
    save(tmp_path / "anger" / "S005_001_00000011.png", 10)
    save(tmp_path / "contempt" / "S138_008_00000007.png", 20)
    assert read_faces(tmp_path, person=person).groups.tolist() == groups


def test_jaffe_takes_an_expression_for_persons_too(tmp_path):
    half_body(tmp_path / "KA.AN1.39.tiff", 100)
    half_body(tmp_path / "YM.SU1.58.tiff", 200)
    faces = read_faces(tmp_path, detector=BrightParts(), person=r"([A-Z])[A-Z]\.")
    assert faces.groups.tolist() == ["K", "Y"]
