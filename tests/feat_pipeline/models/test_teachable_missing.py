"""What the import of a Teachable Machine export says where Keras is missing."""

import sys


def test_the_extra_is_named_where_keras_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    code, stdout, stderr = run("models", "import", tmp_path, "--out", tmp_path / "m")
    assert code == 2 and stdout == "" and "pip install 'feat-pipeline[teachable]'" in stderr
    assert not (tmp_path / "m").exists()


def test_models_without_an_action_lists_them(run):
    code, stdout, _ = run("models")
    assert code == 0 and stdout.split()[:2] == ["name", "kind"]
