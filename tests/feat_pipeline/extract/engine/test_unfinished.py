"""An extraction that is killed, crowded out or begun again writes the table of an undisturbed one."""

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feat_pipeline.errors import OutputError, UsageError
from feat_pipeline.extract.engine import processes
from feat_pipeline.extract.engine.chunks import plan
from feat_pipeline.extract.engine.processes import CRASHED
from feat_pipeline.output.folder import LOCK, only_run
from feat_pipeline.runs.extract import extract
from feat_pipeline.sources.sampling import Sampling
from tests import ROOT
from tests.feat_pipeline.conftest import save
from tests.feat_pipeline.fakes import FakeExtractor, draw_face
from tests.feat_pipeline.waiting import GUARD_S, wait_until


@pytest.fixture
def folder(tmp_path):
    """70 photos with a face each, one without, one that cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    write_photos(folder, 70)
    save(np.full((60, 70, 3), 90, np.uint8), folder / "empty.png")
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0torn")
    return folder


def write_photos(folder, count):
    rng = np.random.default_rng(5)
    for n, smile in enumerate(rng.uniform(0, 5, count)):
        photo = draw_face(np.full((40, 56, 3), 30, np.uint8), 4 + n % 7, 5, 24, smile)
        save(photo, folder / f"{n:05}.png")


def program(*arguments):
    command = [sys.executable, "-m", "tests.feat_pipeline.fake_program", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(*arguments):
    process = program(*arguments)
    err = process.communicate(timeout=GUARD_S)[1]
    return process.returncode, err


def results(out):
    return {name: (out / name).read_bytes() for name in ("aus.csv", "aus.meta.json", "skipped.csv")}


def test_several_processes_write_the_table_of_one(folder, tmp_path):
    code, _ = finish("extract", folder, "--out", tmp_path / "one")
    assert code == 1  # for torn.jpg
    code, err = finish("extract", folder, "--out", tmp_path / "two", "--jobs", "2")
    assert code == 1 and "72 inputs, 70 faces, skipped: 1 no face, 1 error" in err
    assert results(tmp_path / "two") == results(tmp_path / "one")
    assert len(pd.read_csv(tmp_path / "one" / "aus.csv")) == 70


def test_a_killed_extraction_goes_on_where_it_was(folder, tmp_path):
    finish("extract", folder, "--out", tmp_path / "whole")
    out = tmp_path / "out"
    process = program("extract", folder, "--out", out)
    wait_until(lambda: list(out.glob(".unfinished/*.parquet")) or process.poll() is not None)
    process.kill()
    process.communicate()
    if (out / "aus.csv").exists():
        pytest.skip("it was done before it could be killed")
    kept = {file.name: file.stat().st_mtime_ns for file in out.glob(".unfinished/*.parquet")}
    assert kept and (out / LOCK).exists()
    assert finish("extract", folder, "--out", out)[0] == 1
    assert results(out) == results(tmp_path / "whole")
    assert sorted(p.name for p in out.iterdir()) == ["aus.csv", "aus.meta.json", "run.json", "skipped.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_twenty_kills_during_5000_photos_leave_the_same_table(tmp_path, jobs):
    photos = tmp_path / "photos"
    photos.mkdir()
    write_photos(photos, 5000)
    begun = time.monotonic()
    assert finish("extract", photos, "--out", tmp_path / "whole")[0] == 0
    seconds = time.monotonic() - begun
    rng = random.Random(7)
    for _ in range(20):
        out = tmp_path / "out"
        process = program("extract", photos, "--out", out, "--jobs", jobs)
        time.sleep(rng.uniform(0.1, 0.9) * seconds)
        os.killpg(process.pid, signal.SIGKILL)  # its processes too, as when a machine goes down
        process.communicate()
        assert finish("extract", photos, "--out", out, "--jobs", jobs, "--overwrite")[0] == 0
        assert results(out) == results(tmp_path / "whole")
        shutil.rmtree(out)


def test_only_what_changed_is_measured_again(fakes, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    stop_before_writing(monkeypatch, folder, out)
    draw = draw_face(np.full((40, 56, 3), 30, np.uint8), 4, 5, 24, smile=1)
    save(draw, folder / "00069.png")
    measured = []
    original = FakeExtractor.extract

    def counted(self, frames, detections):
        measured.append(len(frames))
        return original(self, frames, detections)

    monkeypatch.setattr(FakeExtractor, "extract", counted)
    table = extract(folder, out=out).table.frame
    assert measured == [6]  # the last chunk; of its 8 photos one has no face and one cannot be read
    assert table["AU12_r"].iloc[-1] == pytest.approx(1, abs=0.02)


def stop_before_writing(monkeypatch, folder, out):
    with monkeypatch.context() as patch:
        patch.setattr("feat_pipeline.runs.extract.write_tables", fail)
        with pytest.raises(OutputError, match="No space left"):
            extract(folder, out=out)


def fail(*arguments, **options):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("change", [{"detector": "fake"}, {"backend": "fake"}])
def test_another_setting_takes_nothing_over(fakes, folder, tmp_path, monkeypatch, change):
    from feat_pipeline.detect import DETECTORS

    monkeypatch.setitem(DETECTORS, "fake", "tests.feat_pipeline.extract.engine.test_unfinished:OtherDetector")
    out = tmp_path / "out"
    stop_before_writing(monkeypatch, folder, out)
    before = set(out.glob(".unfinished/*.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr("feat_pipeline.runs.extract.write_tables", fail)
        with pytest.raises(OutputError):
            extract(folder, out=out, overwrite=True, **change)
    after = set(out.glob(".unfinished/*.parquet"))
    assert len(before) == len(after) == 3
    assert not before & after if "detector" in change else before == after  # the backend is the same class


@pytest.fixture
def unfinished(fakes, folder, tmp_path, monkeypatch):
    """A folder of results in which 72 photos are measured and the results could not be written."""
    stop_before_writing(monkeypatch, folder, tmp_path / "out")
    return tmp_path / "out"


def kept_in(out):
    return sorted(file.name for file in out.glob(".unfinished/*.parquet"))


def other_inputs(folder, tmp_path):
    """Arguments of extractions that would not go on with that of the whole folder."""
    return {
        "one of its photos": [folder / "00003.png"],
        "another detector": [folder, "--detector", "fast"],
        "another spelling": [f"{folder}/../{folder.name}"],
    }


@pytest.mark.parametrize("inputs", ["one of its photos", "another detector", "another spelling"])
def test_an_extraction_of_something_else_refuses_a_folder_of_unfinished_work(
    run, folder, unfinished, tmp_path, monkeypatch, inputs
):
    from feat_pipeline.detect import DETECTORS

    monkeypatch.setitem(DETECTORS, "fast", "tests.feat_pipeline.extract.engine.test_unfinished:OtherDetector")
    before, other = kept_in(unfinished), other_inputs(folder, tmp_path)[inputs]
    code, stdout, err = run("extract", *other, "--out", unfinished)
    assert (code, stdout, kept_in(unfinished)) == (2, "", before)
    assert f"{unfinished}: holds 72 of 72 photos measured by an extraction that was stopped" in err
    assert f"to go on with it: feat-pipeline extract {folder} --out {unfinished}" in err
    assert "--overwrite to drop it" in err
    assert ("differs in detector" in err) == (inputs == "another detector")
    code, _, err = run("extract", *other, "--out", unfinished, "--overwrite")
    assert code in (0, 1) and "holds 72 of 72 photos" in err and "dropped by --overwrite" in err
    assert (unfinished / "aus.csv").exists() and not kept_in(unfinished)


def test_the_command_that_is_told_goes_on(run, folder, unfinished, monkeypatch):
    _, _, err = run("extract", folder / "00003.png", "--out", unfinished)
    command = re.search(r"to go on with it: feat-pipeline (.*?);", err)[1]
    monkeypatch.setattr(FakeExtractor, "extract", None)  # nothing is measured again
    assert run(*shlex.split(command))[0] == 1 and len(pd.read_csv(unfinished / "aus.csv")) == 70


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "PHOTO"],
        ["series", "VIDEO"],
        ["saliency", "PHOTO", "--model", "cnn-fer2013"],
        ["train", "texture", "--data", "PHOTOS"],
        ["combine", "logit-embedded", "cnn-fer2013"],
        ["explain", "TABLE", "--model", "MODEL"],
        ["fit", "TABLE", "--label-column", "emotion"],
        ["compare", "TABLE", "--labels", "TABLE"],
        ["surrogate", "--aus", "TABLE", "--predictions", "TABLE"],
        ["backends", "--compare", "TABLE", "TABLE"],
    ],
)
def test_no_other_command_writes_beside_unfinished_work(
    run, folder, unfinished, command, video, model_dir, au_table
):
    table = au_table.write(unfinished / "t.csv")
    made = {
        "PHOTO": folder / "00000.png",
        "PHOTOS": folder,
        "VIDEO": video,
        "TABLE": table,
        "MODEL": model_dir,
    }
    before = kept_in(unfinished)
    code, _, err = run(*(made.get(word, word) for word in command), "--out", unfinished)
    assert (code, kept_in(unfinished)) == (2, before)
    assert f"{unfinished}: holds 72 of 72 photos measured by an extraction" in err


def test_another_command_drops_unfinished_work_where_told_to_and_says_so(run, folder, unfinished, model_dir):
    code, _, err = run(
        "predict", folder / "00000.png", "--model", model_dir, "--out", unfinished, "--overwrite"
    )
    assert code == 0 and "holds 72 of 72 photos" in err and "dropped by --overwrite" in err
    assert not (unfinished / ".unfinished").exists()


def test_unfinished_work_of_an_unknown_version_is_kept_too(run, folder, unfinished):
    (unfinished / ".unfinished" / "manifest.json").write_text("{}")
    code, _, err = run("extract", folder / "00003.png", "--out", unfinished)
    assert code == 2 and "holds 3 of 3 parts measured" in err
    assert run("extract", folder, "--out", unfinished)[0] == 1  # and gone on with all the same


def test_what_is_measured_again_since_its_file_changed_is_told(run, folder, unfinished):
    save(draw_face(np.full((40, 56, 3), 30, np.uint8), 4, 5, 24, smile=1), folder / "00069.png")
    _, _, err = run("extract", folder, "--out", unfinished)
    assert "8 photos are measured again, since files among them changed" in err


class OtherDetector:
    name = "other"

    def detect(self, frame_rgb):
        return []


def test_the_second_of_two_extractions_into_one_folder_is_refused(fakes, run, folder, tmp_path):
    out = tmp_path / "out"
    with only_run(out):
        code, stdout, err = run("extract", folder, "--out", out)
    assert (code, stdout) == (2, "")
    assert f"{out}: another extraction is writing into it; wait for its end" in err
    assert run("extract", folder, "--out", out)[0] == 1 and (out / "aus.csv").exists()


def test_what_a_killed_run_half_wrote_is_removed(fakes, folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".4711.tmp.csv").write_text("half")
    (out / ".mine.csv").write_text("whole")
    extract(folder, out=out)
    assert not (out / ".4711.tmp.csv").exists() and (out / ".mine.csv").exists()


class DeadlyExtractor(FakeExtractor):
    """Dies, as a crash in a library does, of a face whose smile is 4.5 or more."""

    def extract(self, frames, detections):
        if any(frame[..., 1].max() >= 225 for frame in frames):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().extract(frames, detections)


def test_an_input_that_kills_its_process_is_listed_and_the_rest_is_measured(tmp_path, monkeypatch):
    from feat_pipeline.detect import DETECTORS
    from feat_pipeline.extract import BACKENDS

    monkeypatch.setitem(DETECTORS, "mtcnn", "tests.feat_pipeline.fakes:FakeDetector")
    monkeypatch.setitem(BACKENDS, "embedded", f"{__name__}:DeadlyExtractor")
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    monkeypatch.setattr("feat_pipeline.extract.engine.chunks.BATCH_FRAMES", 3)
    folder = tmp_path / "photos"
    folder.mkdir()
    for n, smile in enumerate([1, 2, 3, 1, 4.6, 2, 3]):
        save(draw_face(np.full((40, 56, 3), 30, np.uint8), 4, 5, 24, smile), folder / f"{n}.png")
    result = extract(folder, out=tmp_path / "out", backend="embedded", jobs=2)
    assert [Path(name).stem for name in result.table.frame["input"]] == list("012356")
    assert [(Path(e.input).name, e.reason) for e in result.errors] == [("4.png", CRASHED)]


def test_the_processes_end_with_their_parent(folder, tmp_path):
    process = program("extract", *[folder] * 1, "--out", tmp_path / "out", "--jobs", "2")
    # Two, and the tracker of resources.
    wait_until(lambda: len(children(process.pid)) >= 3 or process.poll() is not None)
    pids = children(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(alive, pids)))


def children(pid):
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_chunks_do_not_depend_on_what_was_done(folder):
    paths = sorted(folder.iterdir())
    chunks = plan(paths, Sampling())
    assert [chunk.frames for chunk in chunks] == [32, 32, 8]
    assert chunks == plan(paths, Sampling())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"engine": "spark"}, "engine: expected one of local, ray, got 'spark'"),
        ({"jobs": 0}, "jobs: expected at least 1 process, got 0"),
        ({"detect_every_s": -1}, "detect_every_s: expected 0 or more seconds, got -1"),
        ({"detect_every_s": float("nan")}, "detect_every_s: expected 0 or more seconds, got nan"),
    ],
)
def test_wrong_options_are_refused(fakes, folder, options, reason):
    with pytest.raises(UsageError, match=reason):
        extract(folder, **options)


def test_what_is_done_already_begins_no_process(fakes, folder, tmp_path, monkeypatch):
    stop_before_writing(monkeypatch, folder, tmp_path / "out")
    monkeypatch.setattr(processes, "_in_pool", None)
    assert len(extract(folder, out=tmp_path / "out", jobs=4).table) == 70
