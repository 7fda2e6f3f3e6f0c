import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from feat_pipeline.detect import DETECTORS
from feat_pipeline.errors import InputError, OutputError, UnavailableError, UsageError
from feat_pipeline.extract import BACKENDS
from feat_pipeline.runs.backends import OUTPUTS, compare_backends
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.fakes import FakeDetector, FakeExtractor, draw_face

HERE = "tests.feat_pipeline.runs.test_backends"


class CountingDetector(FakeDetector):
    looks = 0

    def detect(self, frame_rgb):
        type(self).looks += 1
        return super().detect(frame_rgb)


class Halved(FakeExtractor):
    """Says half of what the fake says, as a score; has no AU25, and fails where the fake would measure 0."""

    name = "halved"
    scale = "p"
    au_columns = ("AU04_p", "AU12_p")

    def _measure(self, frame_rgb, detection):
        face = super()._measure(frame_rgb, detection)
        if face.aus["AU12_r"] == 0:
            raise RuntimeError("nothing to halve")
        aus = {name.replace("_r", "_p"): value / 10 for name, value in face.aus.items() if "25" not in name}
        return type(face)(face.box_xyxy, face.confidence, face.landmarks, face.pose_rad, aus)


class Absent(FakeExtractor):
    @classmethod
    def check(cls):
        raise UnavailableError("absent: run: feat-pipeline models fetch absent")


class BreaksWhenBuilt(FakeExtractor):
    @classmethod
    def check(cls):
        return "1"

    def __init__(self):
        raise UnavailableError("its weights are damaged")


@pytest.fixture(autouse=True)
def only_fakes(monkeypatch):
    CountingDetector.looks = 0
    monkeypatch.setitem(DETECTORS, "mtcnn", f"{HERE}:CountingDetector")
    for name in list(BACKENDS):
        monkeypatch.delitem(BACKENDS, name)
    monkeypatch.setitem(BACKENDS, "fake", "tests.feat_pipeline.fakes:FakeExtractor")
    monkeypatch.setitem(BACKENDS, "halved", f"{HERE}:Halved")
    monkeypatch.setitem(BACKENDS, "absent", f"{HERE}:Absent")


@pytest.fixture
def smiles(tmp_path):
    """Nine photos with one smile or two, one photo without a face, and a file that is none."""
    folder = tmp_path / "smiles"
    folder.mkdir()
    for i in range(9):
        picture = draw_face(np.full((110, 190, 3), 30, np.uint8), 15, 20, 40, smile=0.4 * i + 0.4, frown=1)
        if i % 2:
            draw_face(picture, 110, 30, 48, smile=2, frown=0.3 * i)
        save(picture, folder / f"{i}.png")
    save(np.full((60, 70, 3), 90, np.uint8), folder / "empty.png")
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_all_that_can_run_measure_the_same_faces_which_are_looked_for_once(smiles, tmp_path):
    result = compare_backends(smiles, out=tmp_path / "out")
    assert CountingDetector.looks == 10
    assert result.agreement.pairs[["first", "second", "rows", "aus"]].values.tolist() == [
        ["fake", "halved", 13, 2]
    ]
    found = result.agreement.frame.set_index("au")
    assert found.loc["AU12", ["pearson", "icc_consistency"]].tolist() == pytest.approx([1, 0.8], abs=0.01)
    assert found.loc["AU12", "icc"] < 0.7  # half of a share is not the share
    assert result.speed[["backend", "scale", "faces"]].values.tolist() == [
        ["fake", "r", 13],
        ["halved", "p", 13],
    ]
    assert (result.speed["faces_per_second"] > 0).all()
    assert list(result.failures) == [str(smiles / "torn.jpg")]
    for name in (*OUTPUTS, "aus-fake.csv", "aus-halved.meta.json"):
        assert (tmp_path / "out" / name).stat().st_size > 50, name
    written = pd.read_csv(tmp_path / "out" / "agreement.csv")
    assert written["pearson"].tolist() == pytest.approx(result.agreement.frame["pearson"].tolist(), abs=1e-5)
    assert len(AUTable.read(tmp_path / "out" / "aus-halved.csv")) == 13


def test_overwriting_removes_the_tables_of_backends_that_do_not_run_again(smiles, tmp_path, monkeypatch):
    monkeypatch.setitem(BACKENDS, "again", "tests.feat_pipeline.fakes:FakeExtractor")
    compare_backends(smiles, out=tmp_path / "out")
    compare_backends(smiles, out=tmp_path / "out", backends=["fake", "again"], overwrite=True)
    tables = sorted(path.name for path in (tmp_path / "out").glob("aus-*.csv"))
    assert tables == ["aus-again.csv", "aus-fake.csv"]


def test_a_picture_that_one_backend_fails_on_counts_for_the_others(smiles):
    save(draw_face(np.full((110, 190, 3), 30, np.uint8), 15, 20, 40, smile=0), smiles / "9.png")
    result = compare_backends(smiles)
    assert result.speed["faces"].tolist() == [14, 13]
    assert result.agreement.pairs[["rows", "rows_first", "rows_second"]].values.tolist() == [[13, 14, 13]]


def test_tables_are_laid_beside_each_other_and_beside_what_is_measured_here(smiles, tmp_path):
    compare_backends(smiles, out=tmp_path / "a")
    for name in ("fake", "halved"):
        (tmp_path / name).mkdir()
        AUTable.read(tmp_path / "a" / f"aus-{name}.csv").write(tmp_path / name / "aus.csv")
    result = compare_backends([tmp_path / "fake" / "aus.csv", tmp_path / "halved" / "aus.csv"])
    assert result.agreement.pairs[["first", "second", "rows"]].values.tolist() == [
        ["fake/aus", "halved/aus", 13]
    ]
    assert len(result.speed) == 0 and result.failures == {}
    beside = compare_backends([tmp_path / "halved" / "aus.csv", smiles], backends=["fake"])
    assert beside.agreement.pairs[["first", "second", "rows"]].values.tolist() == [["aus", "fake", 13]]
    assert beside.agreement.frame["pearson"].tolist() == pytest.approx([1, 1], abs=1e-4)


def test_a_backend_that_cannot_be_built_is_told_and_the_others_go_on(smiles, monkeypatch):
    monkeypatch.setitem(BACKENDS, "breaks", f"{HERE}:BreaksWhenBuilt")
    result = compare_backends(smiles)
    assert result.failures["breaks"] == "its weights are damaged" and len(result.agreement.pairs) == 1


def test_what_cannot_be_compared_is_refused(smiles, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="some of fake, halved, absent, got openpose"):
        compare_backends(smiles, backends=["fake", "openpose"])
    with pytest.raises(UnavailableError, match="models fetch absent"):
        compare_backends(smiles, backends=["fake", "absent"])
    with pytest.raises(UnavailableError, match="of the backends fake can run here"):
        compare_backends(smiles, backends=["fake"])
    (smiles / "alone").mkdir()
    save(np.full((60, 70, 3), 90, np.uint8), smiles / "alone" / "empty.png")
    with pytest.raises(InputError, match="finds no face"):
        compare_backends(smiles / "alone")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "agreement.csv").touch()
    with pytest.raises(OutputError, match=r"already holds agreement\.csv"):
        compare_backends(smiles, out=tmp_path / "full")


def test_the_command_prints_agreement_and_speed(run, smiles, tmp_path):
    code, out, err = run("backends", "--compare", smiles, "--out", tmp_path / "out")
    assert code == 1 and f"{smiles / 'torn.jpg'}: " in err  # a damaged photo is an error, as elsewhere
    tables = out.split("\n\n")
    assert [line.split()[:5] for line in tables[0].splitlines()[1:]] == [
        ["fake", "halved", "AU04", "13", "1.00"],
        ["fake", "halved", "AU12", "13", "1.00"],
    ]
    assert tables[1].split()[-8:-5] == ["fake", "halved", "13"]
    assert [line.split()[:4] for line in tables[2].splitlines()[1:]] == [
        ["fake", "7", "r", "13"],
        ["halved", "7", "p", "13"],
    ]
    assert tables[3].split() == [str(tmp_path / "out" / name) for name in OUTPUTS]
    code, out, err = run("backends", "--out", tmp_path / "other")
    assert code == 2 and "add --compare PATH" in err
