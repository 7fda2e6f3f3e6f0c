"""The folder of results: what a run removes, keeps and never touches."""

import pytest

from analysis.files import atomic_path
from feat_pipeline.errors import OutputError
from feat_pipeline.output.folder import OutputFolder, model_copies


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "command",
    [
        ["extract", "PHOTO", "--backend", "openface"],
        ["predict", "PHOTO", "--model", "TABLE"],
        ["openface", "PHOTO", "--binary-dir", "NONE"],
        ["fit", "TABLE", "--label-column", "none"],
        ["explain", "TABLE", "--model", "NONE"],
        ["compare", "TABLE", "--labels", "NONE"],
        ["surrogate", "--aus", "TABLE", "--predictions", "NONE"],
        ["combine", "logit-embedded", "cnn-fer2013", "--weights", "1,2,3"],
        ["series", "TABLE", "--neutral", "none"],
        ["train", "texture", "--data", "NONE"],
        ["saliency", "PHOTO", "--model", "logit-embedded"],
        ["backends", "--compare", "TABLE", "NONE"],
    ],
    ids=lambda command: command[0],
)
def test_a_refused_command_leaves_no_folder(fakes, run, photos, tmp_path, command):
    table = tmp_path / "aus.csv"
    table.write_text("input,AU12_r\na.jpg,1\n")
    made = {"PHOTO": photos, "TABLE": table, "NONE": tmp_path / "none"}
    before = names(tmp_path)
    code, _, err = run(*(made.get(word, word) for word in command), "--out", tmp_path / "new" / "out")
    assert code == 2, err
    assert names(tmp_path) == before


def test_a_full_disk_is_told_with_the_file_that_could_not_be_written(tmp_path):
    folder = OutputFolder(tmp_path / "out", ["a.csv"])
    told = r"out: cannot be written \(No space left on device\) at .*out/a\.csv; name another"
    with pytest.raises(OutputError, match=told), folder.open("a.csv"):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "b.csv"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "b.csv")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_whatever_stops_the_writing_leaves_no_half_of_the_results(tmp_path, error):
    folder = OutputFolder(tmp_path, ["a.csv", "b.csv", "faces/*.jpg"])
    (tmp_path / "mine.txt").touch()
    with pytest.raises(error) as caught, folder.all_or_nothing():
        folder.write("a.csv", "1")
        folder.write("faces/000000.jpg", b"1")
        raise error
    assert names(tmp_path) == ["faces", "mine.txt"]
    assert caught.value.__notes__ == ["none of the results was kept"]


def test_a_checkpoint_outlives_results_that_cannot_be_written_and_gives_way_to_a_new_run(tmp_path):
    folder = OutputFolder(tmp_path, ["a.csv"], kept=["checkpoint.pt"])
    folder.write("checkpoint.pt", "1")
    with pytest.raises(OutputError), folder.all_or_nothing():
        folder.write("a.csv", "1")
        raise OutputError
    assert names(tmp_path) == ["checkpoint.pt"]
    OutputFolder(tmp_path, ["a.csv"], kept=["checkpoint.pt"], overwrite=True).clear()
    assert names(tmp_path) == []


def test_the_emptied_folder_of_a_model_goes_with_it_and_others_stay(tmp_path):
    folder = OutputFolder(tmp_path, ["models/a/model.json", "models/b/model.json"])
    for name in ("models/a/model.json", "models/b/model.json", "models/b/mine.txt"):
        folder.write(name, "1")
    folder.clear()
    assert names(tmp_path) == ["models", "models/b", "models/b/mine.txt"]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ('{"models": ["old", "../../mine", 3]}', ["new", "old"]),
        ('{"models": 3}', ["new"]),
        ("[]", ["new"]),
        ("{", ["new"]),
    ],
)
def test_copies_of_models_are_those_of_this_run_and_of_the_one_before(tmp_path, run, expected):
    (tmp_path / "run.json").write_text(run)
    assert model_copies(tmp_path, ["new"]) == [f"models/{name}/model.json" for name in expected]
