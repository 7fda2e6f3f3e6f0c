"""The folder of results: what a run removes, keeps and never touches."""

import pytest

from feat_pipeline.errors import OutputError
from feat_pipeline.output.folder import OutputFolder, model_copies


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


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
