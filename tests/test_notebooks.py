"""Every notebook runs from top to bottom, shows what it promises, and says nothing that its numbers deny."""

import base64
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "notebooks"
BOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))

#: Executed with the slow tests.
LONGEST = ("04_video_series", "05_your_own")

#: How much each notebook shows: figures, tables, and faces or explanations that show themselves.
SHOWN = {
    "01_au_tables": {"figure": 2, "table": 5},
    "02_fit_and_compare": {"figure": 6, "table": 6},
    "03_explain": {"figure": 5, "table": 3, "face": 3},
    "04_video_series": {"figure": 4, "table": 5},
    "05_your_own": {"figure": 1, "table": 5, "face": 1},
}

#: What the text of a notebook claims, asked of its own variables after the last cell.
CLAIMS = {
    "01_au_tables": """
assert len(table) == 10 and len(group) == 5 and len(result.skipped) == 1
aus = dict(zip(["surprise", "happy", "angry", "disgust"], table.with_rows(posed).aus.to_dict("records")))
assert all(aus["surprise"][au] > 1 for au in ("AU01_r", "AU02_r", "AU05_r", "AU25_r", "AU26_r", "AU27_r"))
assert all(aus["happy"][au] > 2 for au in ("AU06_r", "AU12_r"))
assert aus["disgust"]["AU09_r"] < aus["angry"]["AU09_r"]
assert check.loc[~check["keep"], "input"].tolist() == ["photos/45-m7-di-ph.jpg"]
""",
    "02_fit_and_compare": """
assert found.valid and check["inside"].sum() >= 21
assert narrower > 1.5 and held.sum() < check["inside"].sum() - 3
assert (accuracy.loc[["network", "boosted trees"], "random rows"] > best + 0.01).all()
assert accuracy["random rows"].idxmax() == "boosted trees"
assert accuracy["whole people"].idxmax() == "logit"
assert leaks(*splits["whole people"][0], groups=people).empty
""",
    "03_explain": """
assert abs(why.residual) < 1e-9 and why.target == "happy"
assert hardest.face == 2 and hardest.label("cnn-fer2013") == "neutral"
second = sorted(hardest.probabilities["cnn-fer2013"].items(), key=lambda pair: -pair[1])[1][0]
assert change.target == second == "happy" and any(way.exists for way in change.ways)
assert not surrogate.usable
r2 = surrogate.fidelity.query("who == 'surrogate' and metric == 'logit_r2'").iloc[0]
assert r2["value"] > 0.5 > r2["low"]
assert bars["jaw"] > 1 and bars["eye"] > 1 and set(shares.nlargest(2).index) == {"brow", "nose"}
assert shares["mouth"] < 0.1
""",
    "04_video_series": """
smiling = events[events["au"] == "AU12_r"]
assert len(smiling) == 1 and 0.4 < smiling["onset_s"].iloc[0] < 0.8
assert (events["au"] == "AU43_r").sum() == 1
assert both.loc["first second", "AU01_r"] > 2 > both.loc["low decile of the video", "AU01_r"]
assert smile["censored"].tolist() == ["offset"]
assert padded.mean() < measured.mean() / 2
assert acted.frame.query("time_s < 2")["AU12_r"].median() > 1
""",
    "05_your_own": """
assert sorted(labels) == ["angry", "disgust", "happy", "surprise"]
assert agreed > 0.8 and ((both["embedded"] < 0.5) | (both["embedded"] > 2)).mean() > 0.8
assert face.label("textbook") != face.label("logit-embedded")
""",
}


@pytest.fixture
def jupyter(monkeypatch, tmp_path):
    """Jupyter with folders and threads of its own, in an empty folder that it has no business to write to."""
    pytest.importorskip("nbclient", reason="Jupyter is not installed (extra notebooks)")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this environment, not the user's
    here = tmp_path / "here"
    here.mkdir()
    return here


def execute(name, folder):
    """Run a notebook and, as its last cell, its claims."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(CLAIMS[name]))
    return NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()


def outputs(cell, kind):
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def is_drawn(png):
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("L"), float)
    return min(picture.shape) >= 100 and picture.std() > 5


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONGEST)) for name in BOOKS]
)
def test_a_notebook_runs_and_shows_what_it_promises(name, jupyter):
    cells = [cell for cell in execute(name, jupyter).cells if cell.cell_type == "code"]
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        assert not [output for output in cell.outputs if output.get("name") == "stderr"], (cell.id, printed)
        assert "warning" not in printed.lower(), cell.id
        if "figure" in tags:
            assert [is_drawn(png) for png in outputs(cell, "image/png")] == [True], cell.id
        if "table" in tags or "face" in tags:
            assert any("<table" in html for html in outputs(cell, "text/html")), cell.id
        if "face" in tags:
            assert 'class="fp"' in outputs(cell, "text/html")[-1], cell.id
    assert list(jupyter.iterdir()) == []


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_is_kept_without_outputs_and_with_stable_names_for_its_cells(name):
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert [cell["execution_count"] for cell in code] == [None] * len(code)
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)
    assert all(cell_id.startswith(f"nb{name[:2]}-") for cell_id in ids)
    tags = Counter(tag for cell in code for tag in cell["metadata"].get("tags", []))
    assert tags == SHOWN[name]


@pytest.mark.parametrize("name", BOOKS)
def test_a_notebook_asks_first_explains_and_ends_with_exercises(name):
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = ["".join(cell["source"]) for cell in cells]
    assert text[0].startswith(f"# {int(name[:2])} · ") and "?*" in text[0]
    assert text[-1].startswith("## Exercises") and text[-1].count("\n1. ") == 1 and "\n4. " in text[-1]
    kinds = [cell["cell_type"] for cell in cells]
    assert kinds.count("markdown") >= 0.7 * kinds.count("code")
    long = [
        c["id"] for c, t in zip(cells, text, strict=True) if c["cell_type"] == "code" and t.count("\n") > 32
    ]
    assert long == []


def test_the_readme_tells_what_each_notebook_answers():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in BOOKS if f"]({name}.ipynb)" not in readme] == []
    assert len(BOOKS) == 5
