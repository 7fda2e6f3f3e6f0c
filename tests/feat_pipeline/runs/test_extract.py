import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis.autable import AUTable
from feat_pipeline.errors import OutputError, UsageError
from feat_pipeline.extract import measure as measuring
from feat_pipeline.extract.engine import processes
from feat_pipeline.extract.measure import NO_FACE, Measured, measure, measure_chunks
from feat_pipeline.runs.extract import extract
from feat_pipeline.sources.frame import Frame, Skipped
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.fakes import FakeDetector, FakeExtractor, draw_face


def frame(name, smile=2.0, size=(50, 60)):
    return Frame(draw_face(np.zeros((*size, 3), np.uint8), 5, 5, 30, smile), name)


def run_fakes(items):
    return list(measure(items, FakeDetector(), FakeExtractor()))


def test_the_table_has_one_row_per_face_in_the_order_of_the_photos(fakes, photos):
    table = extract(photos).table
    rows = table.frame[["input", "face", "x", "y", "w", "h", "AU04_r", "AU12_r"]].round(2).to_numpy().tolist()
    assert rows == [
        [str(photos / "two.png"), 0, 20, 30, 40, 40, 0, 4],
        [str(photos / "two.png"), 1, 110, 30, 48, 48, 4, 0],
        [str(photos / "sub" / "one.png"), 0, 10, 10, 50, 50, 0, 3.5],
    ]
    assert table.frame[["pose_Rx", "pose_Ry", "pose_Rz"]].iloc[0].round(3).tolist() == [0.1, 0.2, 0.3]
    assert {"x_0", "x_67", "y_0", "y_67"} <= set(table.frame.columns)


def test_the_table_carries_backend_version_and_scale(fakes, photos):
    table = extract(photos).table
    assert (table.backend, table.backend_version, table.scale) == ("fake", "7", "r")


def test_a_picture_without_a_face_is_listed_and_is_no_failure(fakes, photos):
    result = extract(photos)
    assert result.skipped.to_numpy().tolist() == [[str(photos / "empty.png"), 0, NO_FACE]]
    assert not result.errors


def test_a_picture_that_breaks_the_detector_is_listed_and_the_rest_goes_on(fakes, photos):
    cursed = np.zeros((40, 40, 3), np.uint8)
    cursed[0, 0] = (0, 0, 255)
    save(cursed, photos / "cursed.png")
    result = extract(photos)
    assert len(result.table) == 3
    assert [Path(error.input).name for error in result.errors] == ["cursed.png"]
    reasons = dict(zip(result.skipped["input"], result.skipped["reason"], strict=True))
    assert reasons[str(photos / "cursed.png")] == "face detection failed: this picture is cursed"


def test_a_picture_that_breaks_the_extractor_costs_only_itself():
    bad = frame("bad", smile=254 / 50)
    first, middle, last = run_fakes([frame("a"), bad, frame("c")])
    assert isinstance(first, Measured) and isinstance(last, Measured)
    assert middle == Skipped("bad", 0, "AU extraction failed: extraction broke")


def test_a_face_that_cannot_be_measured_is_nan_and_listed(fakes, tmp_path):
    path = save(frame("x", smile=255 / 50).rgb, tmp_path / "dark.png")
    result = extract(path)
    assert result.table.aus.isna().all(axis=None) and len(result.table) == 1
    assert result.skipped["reason"].tolist() == ["face 0: its AUs could not be measured"]
    assert not result.errors


def test_batches_change_nothing(monkeypatch):
    items = [frame(str(n), smile=n % 5) for n in range(7)] + [Skipped("gone", 0, "unreadable")]
    whole = run_fakes(items)
    monkeypatch.setattr(measuring, "BATCH_FRAMES", 3)
    parts = run_fakes(items)
    assert [getattr(i, "frame", i) for i in parts] == [getattr(i, "frame", i) for i in whole]
    assert [i.faces[0].aus for i in parts[:-1]] == [i.faces[0].aus for i in whole[:-1]]


def test_a_batch_is_bounded_in_pixels(monkeypatch):
    monkeypatch.setattr(measuring, "BATCH_PIXELS", 5000)
    batch = next(measuring._batches([frame("a"), frame("b"), frame("c")]))
    assert [item.path for item in batch] == ["a", "b"]


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_the_written_table_reads_back(fakes, photos, tmp_path, format):
    out = tmp_path / "out"
    result = extract(photos, out=out, format=format)
    read = AUTable.read(out / f"aus.{format}")
    np.testing.assert_allclose(read.aus, result.table.aus, rtol=1e-5)
    assert read.backend == "fake" and read.scale == "r"
    names = {"aus.csv", "aus.meta.json"} if format == "csv" else {"aus.parquet"}
    assert {p.name for p in out.iterdir()} == names | {"skipped.csv", "run.json"}


def test_run_json_says_what_was_done(fakes, photos, tmp_path):
    extract(photos, out=tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["command"] == "extract" and run["complete"] is True and run["seconds"] >= 0
    assert run["parameters"] == {"backend": "auto", "detector": "mtcnn", "format": "csv"}
    assert run["counts"] == {"inputs": 3, "faces": 3, "skipped": {"no face": 1}}
    assert run["backend"].pop("auto").startswith("it ships with the package")
    assert run["backend"] == {"name": "fake", "version": "7", "scale": "r"}
    assert {"python", "numpy", "feat-pipeline"} <= set(run["versions"]) and run["started"]


def test_the_same_photos_give_the_same_file(fakes, photos, tmp_path):
    files = []
    for name in ("a", "b"):
        extract(photos, out=tmp_path / name)
        files.append((tmp_path / name / "aus.csv").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_nothing_computed_is_lost_when_the_work_breaks_off(fakes, photos, tmp_path, monkeypatch, error):
    def broken(chunks, *arguments, **options):
        yield from list(measure_chunks(chunks, *arguments, **options))[:2]
        raise error

    for n in range(70):
        shutil.copy(photos / "two.png", photos / f"{n:02}.png")
    extract(photos, out=tmp_path / "whole")
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(processes, "measure_chunks", broken)
        with pytest.raises(error) as caught:
            extract(photos, out=out)
    assert caught.value.__notes__ == [
        f"32 of 73 photos are measured and kept in {out / '.unfinished'}; the same command goes on from there"
    ]
    assert [p.name for p in out.iterdir()] == [".unfinished"]
    result = extract(photos, out=out)
    assert (out / "aus.csv").read_bytes() == (tmp_path / "whole" / "aus.csv").read_bytes()
    assert result.run["counts"] == {"inputs": 73, "faces": 143, "skipped": {"no face": 1}}
    assert sorted(p.name for p in out.iterdir()) == ["aus.csv", "aus.meta.json", "run.json", "skipped.csv"]


def test_results_are_replaced_only_when_asked(fakes, photos, tmp_path):
    out = tmp_path / "out"
    extract(photos, out=out, format="parquet")
    (out / "mine.txt").write_text("keep")
    with pytest.raises(
        OutputError, match=r"already holds aus.parquet, run.json, skipped.csv; add --overwrite"
    ):
        extract(photos, out=out)
    extract(photos, out=out, overwrite=True)
    assert (out / "aus.csv").exists() and not (out / "aus.parquet").exists()
    assert (out / "mine.txt").read_text() == "keep"


def test_an_unknown_format_is_refused(fakes, photos):
    with pytest.raises(UsageError, match="format: expected one of csv, parquet, got 'xlsx'"):
        extract(photos, format="xlsx")


def test_auto_says_in_the_record_and_in_the_table_why_it_took_a_backend(fakes, photos):
    result = extract(photos)
    assert "ships with the package" in result.run["backend"]["auto"]
    assert result.table.extra == {"detector": "mtcnn", "auto": result.run["backend"]["auto"]}
    assert "auto" not in extract(photos, backend="fake").run["backend"]


def test_a_report_of_earlier_results_goes_with_them(photos, tmp_path, fakes):
    out = tmp_path / "out"
    extract(photos, out=out)
    (out / "report.html").write_text("of the first run")
    extract(photos, out=out, overwrite=True)
    assert not (out / "report.html").exists() and (out / "aus.csv").exists()
