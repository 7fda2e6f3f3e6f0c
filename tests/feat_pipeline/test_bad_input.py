"""Each case costs one clear line; the rest goes on, and what was left out is listed in skipped.csv."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.autable import AUTable
from analysis.logit import MultinomialLogit
from feat_pipeline.errors import OutputError
from feat_pipeline.extract.measure import NO_FACE
from feat_pipeline.output.folder import OutputFolder
from feat_pipeline.sources.photos import read_photo
from tests.feat_pipeline.conftest import au_rows, save
from tests.feat_pipeline.fakes import draw_face


def face_picture(size=(100, 90), x=20, y=20, side=50, smile=4):
    return draw_face(np.full((*size, 3), 30, np.uint8), x, y, side, smile)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(path, side=20_000):
    """A valid PNG of side x side black pixels, in few bytes."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b""))


def truncated(path, format):
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format)
    path.write_bytes(path.read_bytes()[:-2000])


DAMAGED = {
    "text renamed .jpg": (
        lambda p: p.write_text("this is no picture"),
        "is no JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000",
    ),
    "truncated JPEG": (lambda p: truncated(p, "JPEG"), "is damaged or truncated"),
    "truncated PNG": (lambda p: truncated(p, "PNG"), "is damaged or truncated"),
    "0 bytes": (lambda p: p.touch(), "the file is empty"),
    "20,000 x 20,000 PNG": (huge_png, "400,000,000 pixels, more than the limit of 100,000,000"),
}


@pytest.mark.parametrize("command", ["extract", "predict"])
@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_photo_is_listed_and_the_rest_goes_on(fakes, run, model_dir, tmp_path, command, case):
    make, reason = DAMAGED[case]
    folder = tmp_path / "photos"
    folder.mkdir()
    make(folder / "bad.jpg")
    save(face_picture(), folder / "good.png")
    model = ["--model", model_dir] if command == "predict" else []
    code, stdout, stderr = run(command, folder, "--out", tmp_path / "out", *model)
    assert code == 1
    table, skipped = (
        pd.read_csv(line) for line in (stdout.splitlines()[0], tmp_path / "out" / "skipped.csv")
    )
    assert table["input"].tolist() == [str(folder / "good.png")]
    assert skipped["input"].tolist() == [str(folder / "bad.jpg")] and reason in skipped["reason"][0]
    first, second, last = stderr.splitlines()
    assert f"{folder / 'bad.jpg'}: " in first and reason in first and "1 error" in second
    assert last.startswith("feat-pipeline: ignored: 1 error (")


FACELESS = {
    "1 x 1 picture": (np.zeros((1, 1, 3), np.uint8), NO_FACE),
    "no face": (np.full((80, 90, 3), 90, np.uint8), NO_FACE),
}


@pytest.mark.parametrize("case", FACELESS)
def test_a_picture_without_a_face_is_listed_and_exits_with_0(fakes, run, tmp_path, case):
    picture, reason = FACELESS[case]
    path = save(picture, tmp_path / "photo.png")
    assert run("extract", path, "--out", tmp_path / "out")[0] == 0
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv")
    assert skipped.to_numpy().tolist() == [[str(path), 0, reason]]
    assert len(pd.read_csv(tmp_path / "out" / "aus.csv")) == 0


@pytest.mark.parametrize("detector", ["mtcnn", "haar", "none"])
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3, 2)])
def test_the_real_detectors_stand_the_smallest_pictures(run, tmp_path, monkeypatch, detector, size):
    from feat_pipeline.extract import BACKENDS

    monkeypatch.setitem(BACKENDS, "embedded", "tests.feat_pipeline.fakes:FakeExtractor")
    path = save(np.zeros((*size, 3), np.uint8), tmp_path / "tiny.png")
    assert run("extract", path, "--out", tmp_path / "out", "--detector", detector)[0] == 0


@pytest.mark.parametrize(
    "picture",
    [
        face_picture(x=60, y=70, side=60),  # runs over the right and the lower border
        face_picture(x=5, y=5, side=16),
    ],
    ids=["face cut by the border", "face 16 px wide"],
)
def test_cut_and_small_faces_are_predicted_and_drawn(fakes, run, model_dir, tmp_path, picture):
    path = save(picture, tmp_path / "photo.png")
    out = tmp_path / "out"
    assert run("predict", path, "--model", model_dir, "--out", out, "--annotate")[0] == 0
    assert pd.read_csv(out / "predictions.csv")["label"].tolist() == ["happy"]
    assert read_photo(out / "faces" / "000000.jpg").shape == (160, 160, 3)


def test_odd_names_survive_and_nothing_is_written_outside_of_the_folder(
    fakes, run, model_dir, tmp_path, monkeypatch
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    names = [
        "größer 笑顔 😀.png",
        "x" * 240 + ".png",
        "../outside.png",
        "-dash.png",
        "a\nb.png",
        "same.png",
        "d/same.png",
    ]
    for name in names:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        save(face_picture(), path)
    before = sorted(p.name for p in tmp_path.iterdir())
    code, _, _ = run("predict", "--model", model_dir, "--out", "out", "--annotate", "--", *names)
    assert code == 0
    assert pd.read_csv("out/predictions.csv")["input"].tolist() == names
    assert len(list(Path("out/annotated").iterdir())) == len(names)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert run("report", "out")[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_written_escaped(fakes, run, model_dir, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    save(face_picture(), path)
    out = tmp_path / "out"
    code, _, err = run("predict", path, "--model", model_dir, "--out", out, "--annotate")
    assert code == 0, err
    assert pd.read_csv(out / "predictions.csv")["input"][0].endswith(r"caf\xe9.png")


@pytest.mark.parametrize("command", ["extract", "predict"])
def test_a_missing_path_and_an_empty_folder_are_refused(fakes, run, model_dir, tmp_path, command):
    (tmp_path / "empty").mkdir()
    model = ["--model", model_dir] if command == "predict" else []
    code, out, err = run(command, tmp_path / "gone.jpg", "--out", tmp_path / "out", *model)
    assert (code, out) == (2, "") and "gone.jpg: no such file or folder; check the path" in err
    code, out, err = run(command, tmp_path / "empty", "--out", tmp_path / "out", *model)
    assert (code, out) == (2, "") and "empty: the folder holds no JPEG" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["extract", "predict", "fit"])
def test_output_that_cannot_be_written_is_refused_before_the_work(run, photos, model_dir, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    sources = {
        "extract": [photos],
        "predict": [photos, "--model", model_dir],
        "fit": ["no.csv", "--label-column", "mood"],
    }
    for out in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nowhere"):
        code, stdout, err = run(command, *sources[command], "--out", out)
        assert (code, stdout) == (2, "") and err.count("\n") == 1
        assert f"{out}: cannot be written" in err and "--out" in err


@pytest.mark.parametrize("command", ["extract", "predict"])
def test_existing_results_are_refused_unless_overwrite(fakes, run, photos, model_dir, tmp_path, command):
    arguments = [command, photos, "--out", tmp_path / "out"]
    arguments += ["--model", model_dir] if command == "predict" else []
    assert run(*arguments)[0] == 0
    code, stdout, err = run(*arguments)
    assert (code, stdout) == (2, "") and "already holds" in err and "--overwrite" in err
    assert run(*arguments, "--overwrite")[0] == 0


@pytest.mark.parametrize("command", ["extract", "predict"])
def test_what_gives_no_photo_is_listed_and_the_rest_goes_on(fakes, run, photos, model_dir, tmp_path, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    bad = [tmp_path / name for name in ("gone.jpg", "empty", "circle.jpg")]
    model = ["--model", model_dir] if command == "predict" else []
    code, _, err = run(command, photos, *bad, "--out", tmp_path / "out", *model)
    assert code == 1 and len(err.splitlines()) == len(bad) + 2
    assert set(map(str, bad)) <= set(pd.read_csv(tmp_path / "out" / "skipped.csv")["input"])


def test_many_errors_are_counted_and_listed_but_not_all_told(fakes, run, photos, tmp_path):
    for number in range(25):
        (photos / f"bad{number}.jpg").touch()
    code, _, err = run("extract", photos, "--out", tmp_path / "out")
    assert code == 1 and len(err.splitlines()) == 23 and "and 5 more errors, all listed in skipped.csv" in err


def test_an_empty_name_for_the_output_is_refused(fakes, run, photos):
    code, out, err = run("extract", photos, "--out", "")
    assert (code, out) == (2, "") and "out: expected a folder, got an empty name" in err


@pytest.mark.parametrize("command", ["extract", "predict", "fit"])
def test_a_disk_that_fills_up_leaves_no_result_behind(
    fakes, run, photos, model_dir, tmp_path, monkeypatch, command
):
    write = OutputFolder.write

    def fill_up(folder, name, content):
        if name == "run.json":
            raise OutputError(f"{folder.path}: cannot be written (No space left on device)")
        return write(folder, name, content)

    monkeypatch.setattr(OutputFolder, "write", fill_up)
    aus, labels = au_rows()
    aus.assign(mood=labels).to_csv(tmp_path / "aus.csv", index=False)
    sources = {
        "extract": [photos],
        "predict": [photos, "--model", model_dir, "--annotate"],
        "fit": [tmp_path / "aus.csv", "--label-column", "mood"],
    }
    code, out, err = run(command, *sources[command], "--out", tmp_path / "out")
    assert (code, out) == (1, "") and "No space left on device" in err
    left = [path.parent.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    if command == "extract":
        assert "3 of 3 photos are measured and kept" in err and set(left) == {".unfinished"}
    else:
        assert "none of the results was kept" in err and left == []


def fit(run, tmp_path, table, labels=None, name="aus.csv", **more):
    """Fit to a table (written as CSV) and return exit code and stderr."""
    table.to_csv(tmp_path / name, index=False)
    if labels is not None:
        labels.to_csv(tmp_path / "labels.csv", index=False)
    source = ["--labels", tmp_path / "labels.csv"] if labels is not None else ["--label-column", "mood"]
    options = [text for key, value in more.items() for text in (f"--{key}", value)]
    code, stdout, err = run("fit", tmp_path / name, *source, "--out", tmp_path / "model", *options)
    assert "Traceback" not in err and (code == 0 or (stdout == "" and err.count("\n") == 1))
    return code, err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["AU04_r", "AU12_r", "AU25_r"]), "no AU column"),
        (lambda t: t.assign(AU12_r=["much", *t["AU12_r"][1:].astype(str)]), "AU12_r"),
        (lambda t: t.assign(AU12_r=t["AU12_r"] + 40), "AU12_r"),
        (lambda t: t.assign(AU12_r=-1.0), "AU12_r"),
        (lambda t: t.iloc[:0], "label"),
        (lambda t: t.drop(columns="mood"), "label column 'mood': no such column"),
        (lambda t: t.assign(mood=t["input"]), "60 different ones in 60 rows, such as photo0.jpg"),
    ],
    ids=["no AU", "text", "out of range", "negative", "no row", "no label column", "names as labels"],
)
def test_a_bad_au_table_is_refused_and_named(run, tmp_path, change, message):
    aus, labels = au_rows()
    code, err = fit(run, tmp_path, change(aus.assign(mood=labels)))
    assert code == 2 and message in err and str(tmp_path / "aus.csv") in err
    assert not (tmp_path / "model" / "model.json").exists()


def test_a_table_with_semicolons_and_decimal_commas_is_read_and_said(run, tmp_path):
    aus, labels = au_rows()
    aus.assign(mood=labels).to_csv(tmp_path / "aus.csv", sep=";", decimal=",", index=False)
    code, _, err = run("fit", tmp_path / "aus.csv", "--label-column", "mood", "--out", tmp_path / "model")
    assert (
        code == 0 and "aus.csv: read as values separated by semicolons and numbers with decimal commas" in err
    )


def test_extra_columns_and_missing_values_in_a_table_are_borne_and_said(run, tmp_path):
    aus, labels = au_rows()
    aus = aus.assign(mood=labels, remark="x", AU12_r=aus["AU12_r"].where(aus.index > 2))
    code, err = fit(run, tmp_path, aus)
    assert code == 0 and "3 of 60 rows have an AU without a value" in err


@pytest.mark.parametrize(
    ("content", "name"), [(b"", "e.csv"), (b"\xff\xfe\x00binary", "b.csv"), (b"PAR1", "p.parquet")]
)
def test_a_file_that_is_no_table_is_refused(run, tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    code, _, err = run("fit", tmp_path / name, "--label-column", "mood", "--out", tmp_path / "model")
    assert code == 2 and name in err and err.count("\n") == 1
    code, _, err = run("fit", tmp_path / "gone.csv", "--label-column", "mood", "--out", tmp_path / "model")
    assert code == 2 and "gone.csv: no such file" in err


def test_labels_that_match_no_row_are_refused_with_examples_of_both(run, tmp_path):
    aus, labels = au_rows()
    code, err = fit(
        run, tmp_path, aus, pd.DataFrame({"input": [f"other{i}" for i in range(60)], "label": labels})
    )
    assert code == 2 and "no label matches a row" in err and "other0" in err and "photo0.jpg" in err


def test_one_single_class_is_refused(run, tmp_path):
    aus, _ = au_rows()
    code, err = fit(run, tmp_path, aus.assign(mood="happy"))
    assert code == 2 and "all 60 rows are happy; a model needs at least two classes" in err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("alpha", -1, "alpha: expected a number >= 0"),
        ("folds", 1, "folds: expected 2 or more"),
        ("seed", -3, "seed: expected 0 to"),
        ("groups", "person", "groups: no column 'person'"),
    ],
)
def test_bad_options_of_fit_are_refused(run, tmp_path, option, value, message):
    aus, labels = au_rows()
    code, err = fit(run, tmp_path, aus.assign(mood=labels), **{option: value})
    assert code == 2 and message in err


def test_a_class_with_one_row_is_fitted_and_said_to_be_unscored(run, tmp_path):
    aus, labels = au_rows()
    labels[0] = "fear"
    code, err = fit(run, tmp_path, aus.assign(mood=labels))
    assert code == 0 and "not scored: cannot cross-validate: fear has only one row" in err


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        (lambda name: name.replace("25", "26"), "AU26_r"),
        (lambda name: name.replace("_r", "_p"), "scale _p"),
    ],
    ids=["other AUs", "another scale"],
)
def test_a_model_for_other_aus_or_another_scale_is_refused(fakes, run, photos, tmp_path, rename, message):
    aus, labels = au_rows()
    MultinomialLogit().fit(aus.rename(columns=rename), labels).save(tmp_path / "other")
    code, out, err = run("predict", photos, "--model", tmp_path / "other", "--out", tmp_path / "out")
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert "model other" in err


def test_a_model_fitted_on_another_or_an_unnamed_backend_is_refused(
    fakes, run, photos, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("OPENFACE_DIR", raising=False)
    aus, labels = au_rows()
    for name, message in {
        "lab42": "need the AU backend lab42, which cannot measure photos here",
        "openface": "openface: no FaceLandmarkImg",
        "unknown": "does not say what measured its AUs",
    }.items():
        table = AUTable(aus, backend=name, backend_version="2.2.0", scale="r")
        MultinomialLogit().fit(table, labels).save(tmp_path / "m")
        code, out, err = run("predict", photos, "--model", tmp_path / "m", "--out", tmp_path / "out")
        assert (code, out) == (2, "") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such shipped model, folder or file"),
        ("no json", "is no readable model file"),
        ('{"format": "multinomial-logit", "version": 1}', "damaged model file"),
        ('{"format": "pickle"}', "format: expected one of multinomial-logit"),
    ],
)
def test_a_bad_model_is_refused_and_named(fakes, run, photos, tmp_path, content, message):
    if content:
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "model.json").write_text(content)
    code, _, err = run("predict", photos, "--model", tmp_path / "bad", "--out", tmp_path / "out")
    assert code == 2 and "bad" in err and message in err and err.count("\n") == 1


def test_a_report_on_nothing_is_refused(run, tmp_path):
    for folder in (tmp_path, tmp_path / "gone"):
        code, out, err = run("report", folder)
        assert (code, out) == (2, "") and str(folder) in err and err.count("\n") == 1


def test_a_detector_that_cannot_run_says_what_mends_it(fakes, run, photos, tmp_path, monkeypatch):
    monkeypatch.delenv("FEAT_YUNET", raising=False)
    code, _, err = run("extract", photos, "--out", tmp_path / "out", "--detector", "yunet")
    assert code == 2 and "FEAT_YUNET" in err and err.count("\n") == 1


def test_the_installed_program_shows_no_traceback(tmp_path):
    command = [
        sys.executable,
        "-m",
        "feat_pipeline.cli",
        "extract",
        "gone.jpg",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "feat-pipeline: gone.jpg: no such file or folder; check the path\n"
