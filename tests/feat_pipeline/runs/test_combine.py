"""Models that vote, made by the command."""

import numpy as np
import pandas as pd
import pytest

from feat_pipeline.cli import main
from feat_pipeline.errors import OutputError
from feat_pipeline.models import load_model
from feat_pipeline.models.texture import TextureClassifier
from feat_pipeline.output.folder import OutputFolder
from tests.feat_pipeline.models.made import faces


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    folder = tmp_path_factory.mktemp("members")
    crops, labels = faces()
    for name, components in (("coarse", 2), ("fine", 10)):
        model = TextureClassifier(kernel="linear", held_out=0.3, components=components)
        model.fit(crops, labels).save(folder / name)
    return folder


def answers(folder, **shares):
    """Predictions of two faces, happy and angry, by model."""
    rows = [
        {
            "input": f"{face}.png",
            "frame": 0,
            "face": 0,
            "model": model,
            **dict(zip(columns, row, strict=True)),
        }
        for model, table in shares.items()
        for face, row in enumerate(table)
        for columns in [[f"p_{name}" for name in load_model(folder / model).classes_]]
    ]
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    (folder / "labels.csv").write_text("input,label\n0.png,happy\n1.png,angry\n")
    return ["--predictions", str(folder / "predictions.csv"), "--labels", str(folder / "labels.csv")]


def run(members, out, *further):
    return main(["combine", str(members / "coarse"), str(members / "fine"), "--out", str(out), *further])


def test_the_vote_is_saved_and_read_again(members, tmp_path):
    assert run(members, tmp_path / "both", "--weights", "1,3") == 0
    voted = load_model(tmp_path / "both")
    crops, _ = faces()
    parts = [load_model(members / name).predict_proba(crops) for name in ("coarse", "fine")]
    np.testing.assert_allclose(voted.predict_proba(crops), 0.25 * parts[0] + 0.75 * parts[1])


def test_weights_are_chosen_by_labelled_answers(members, tmp_path, capsys):
    classes = load_model(members / "coarse").classes_.tolist()
    right = np.eye(len(classes))[[classes.index("happy"), classes.index("angry")]]
    even = np.full_like(right, 1 / len(classes))
    given = answers(members, coarse=even, fine=0.9 * right + 0.1 * even)
    assert run(members, tmp_path / "both", *given) == 0
    assert load_model(tmp_path / "both").shares["fine"] > 0.999
    assert "fine\t1" in capsys.readouterr().out


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_overwriting_removes_the_members_of_the_ensemble_before_and_nothing_of_the_users(members, tmp_path):
    out = tmp_path / "both"
    TextureClassifier.load(members / "fine").save(tmp_path / "finest")
    further = [str(members / "coarse"), str(tmp_path / "finest"), str(tmp_path / "nested")]
    assert run(members, tmp_path / "nested") == 0
    assert main(["combine", *further, "--out", str(out)]) == 0
    TextureClassifier.load(members / "fine").save(out / "mine")
    assert (out / "nested" / "fine" / "weights.safetensors").is_file()
    assert run(members, out, "--overwrite") == 0
    assert files(out) == [
        *("coarse/model.json", "coarse/weights.safetensors", "fine/model.json", "fine/weights.safetensors"),
        *("mine/model.json", "mine/weights.safetensors", "model.json", "run.json"),
    ]
    assert list(load_model(out).members) == ["coarse", "fine"]


def test_a_folder_of_the_users_with_a_member_s_name_is_not_written_into_unasked(members, tmp_path, capsys):
    out = tmp_path / "both"
    TextureClassifier.load(members / "fine").save(out / "coarse")
    before = (out / "coarse" / "weights.safetensors").read_bytes()
    assert run(members, out) == 2
    assert "already holds coarse" in capsys.readouterr().err
    assert (out / "coarse" / "weights.safetensors").read_bytes() == before


def test_a_vote_that_cannot_be_written_leaves_nothing_behind(members, tmp_path, capsys, monkeypatch):
    def fill_up(folder, name, content):
        raise OutputError(f"{folder.path}: cannot be written (No space left on device)")

    monkeypatch.setattr(OutputFolder, "write", fill_up)
    assert run(members, tmp_path / "both") == 1
    assert "none of the results was kept" in capsys.readouterr().err
    assert files(tmp_path / "both") == []


def test_a_member_is_not_replaced_by_its_own_copy(members, tmp_path, capsys):
    before = files(members)
    assert run(members, members, "--overwrite") == 2
    assert "is one of the models themselves" in capsys.readouterr().err
    assert files(members) == before


def test_an_ensemble_is_no_member_of_itself(members, tmp_path, capsys):
    out = tmp_path / "vote"
    assert run(members, out) == 0
    before = files(out)
    capsys.readouterr()
    assert main(["combine", str(members / "fine"), str(out), "--out", str(out), "--overwrite"]) == 2
    assert f"out: {out} is one of the models themselves" in capsys.readouterr().err
    assert files(out) == before


def test_what_does_not_go_together_is_named(members, tmp_path, capsys):
    classes = load_model(members / "coarse").classes_
    given = answers(members, coarse=np.full((2, len(classes)), 1 / len(classes)))
    assert run(members, tmp_path / "a", *given) == 2
    assert "lacks fine" in capsys.readouterr().err
    assert run(members, tmp_path / "b", "--weights", "1") == 2
    assert "weights: expected 2 numbers" in capsys.readouterr().err
    assert run(members, tmp_path / "c", *given[:2]) == 2
    assert main(["combine", str(members / "fine"), "--out", str(tmp_path / "d")]) == 2
    assert "two or more" in capsys.readouterr().err
