"""Finding OpenFace and running its programs, tested on a stand-in that behaves as they do."""

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract.backends import openface_tool
from feat_pipeline.extract.backends.openface import OpenFaceExtractor
from feat_pipeline.extract.backends.openface_tool import PHOTOS, VIDEO, OpenFace, OpenFaceError, find_openface
from tests.feat_pipeline.extract.backends.openface_made import made_clock, make_docker, make_openface
from tests.feat_pipeline.waiting import wait_until


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A machine without OpenFace and Docker."""
    monkeypatch.delenv("OPENFACE_DIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def program(folder, text):
    """A program FaceLandmarkImg of a few lines of shell."""
    folder.mkdir(exist_ok=True)
    (folder / PHOTOS).write_text(f"#!/bin/sh\n{text}\n")
    (folder / PHOTOS).chmod(0o755)
    return find_openface(folder)


def test_without_openface_and_docker_both_ways_out_are_named():
    with pytest.raises(UnavailableError) as caught:
        OpenFaceExtractor.check()
    message = str(caught.value)
    assert "no FaceLandmarkImg in OPENFACE_DIR or on the PATH, and Docker is not installed" in message
    assert "run: export OPENFACE_DIR=FOLDER" in message


def test_with_docker_only_the_image_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(make_docker(tmp_path, image=False)))
    for docker in (False, True):
        with pytest.raises(
            UnavailableError, match=r"no image algebr/openface; run: docker pull algebr/openface$"
        ):
            find_openface(docker=docker)


def test_a_docker_that_cannot_be_used_says_why(monkeypatch, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\necho 'permission denied on the socket' >&2\nexit 1\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(
        UnavailableError, match=r"Docker cannot be used .permission denied on the socket.; start it"
    ):
        find_openface(docker=True)


def test_a_folder_without_the_program_is_named(tmp_path, monkeypatch):
    with pytest.raises(
        UnavailableError, match=r"empty holds no FaceLandmarkImg; name the folder that holds it"
    ):
        find_openface(tmp_path / "empty")
    monkeypatch.setenv("OPENFACE_DIR", str(tmp_path / "old"))
    with pytest.raises(
        UnavailableError, match=r"old holds no FaceLandmarkImg; run: export OPENFACE_DIR=FOLDER"
    ):
        find_openface()


def test_the_named_one_comes_before_the_variable_the_path_and_docker(monkeypatch, tmp_path):
    folders = [make_openface(tmp_path / name) for name in ("named", "of_variable/build/bin", "on_path")]
    monkeypatch.setenv("PATH", f"{folders[2]}{os.pathsep}{make_docker(tmp_path / 'docker')}")
    monkeypatch.setenv("OPENFACE_DIR", str(tmp_path / "of_variable"))
    assert find_openface(folders[0]).folder == folders[0]
    assert find_openface().folder == folders[1]
    monkeypatch.delenv("OPENFACE_DIR")
    assert find_openface().folder == folders[2]
    found = find_openface(docker=True)
    assert (found.folder, found.version) == (None, "image f43ad4e7")


def test_the_check_tells_one_build_from_another_and_runs_neither(monkeypatch, tmp_path):
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **options: pytest.fail("it was run"))
    versions = []
    for name in ("one", "other"):
        program(tmp_path / name, f"echo {name}")
        monkeypatch.setenv("OPENFACE_DIR", str(tmp_path / name))
        versions.append(OpenFaceExtractor.check())
    assert versions[0] != versions[1] and all(version.startswith("build ") for version in versions)


def test_an_exit_code_is_told_with_the_last_that_was_said(tmp_path):
    tool = program(
        tmp_path / "bin", "echo Loading the model; echo 'ERROR: no\nlandmark detector' >&2; exit 3"
    )
    with pytest.raises(OpenFaceError) as caught:
        tool.run(PHOTOS, [], work=tmp_path)
    said = "Loading the model ERROR: no landmark detector"
    assert str(caught.value) == f"FaceLandmarkImg ended with exit code 3: {said}"


def test_of_much_that_was_said_the_end_is_told(tmp_path):
    tool = program(tmp_path / "bin", "i=0; while [ $i -lt 900 ]; do echo line $i; i=$((i+1)); done; exit 1")
    with pytest.raises(OpenFaceError, match=r"exit code 1: .*line 899$") as caught:
        tool.run(PHOTOS, [], work=tmp_path)
    assert len(str(caught.value)) < 500


def test_a_signal_is_named(tmp_path):
    with pytest.raises(OpenFaceError, match="FaceLandmarkImg ended with signal SIGSEGV, and said nothing"):
        program(tmp_path / "bin", "kill -SEGV $$").run(PHOTOS, [], work=tmp_path)


def test_a_hang_is_ended_with_all_that_was_started(tmp_path, monkeypatch):
    child, ended = tmp_path / "child", tmp_path / "ended"
    text = f"echo begun; /bin/sleep 600 & echo $! > {child}.new; /bin/mv {child}.new {child}; wait"
    monkeypatch.setattr(openface_tool, "time", made_clock(child.exists))
    with pytest.raises(OpenFaceError, match=r"FaceLandmarkImg hung: no output for 0\.4 s: begun"):
        program(tmp_path / "bin", f"{text}; echo > {ended}").run(PHOTOS, [], work=tmp_path, stalled_s=0.4)
    assert not ended.exists()
    pid = int(child.read_text())
    wait_until(lambda: not lives(pid))


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_as_long_as_something_is_written_nothing_hangs(tmp_path, monkeypatch):
    written = tmp_path / "out.csv"
    clock = SimpleNamespace(monotonic=lambda: 0.3 * written.stat().st_size if written.exists() else 0.0)
    monkeypatch.setattr(openface_tool, "time", clock)  # 0.3 s for a byte: 3.6 s in all
    tool = program(
        tmp_path / "bin", f"for i in 1 2 3 4 5 6; do echo x >> '{tmp_path}/out.csv'; /bin/sleep 0.25; done"
    )
    tool.run(PHOTOS, [], work=tmp_path, stalled_s=0.8)
    assert (tmp_path / "out.csv").read_text() == 6 * "x\n"


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    tool = program(tmp_path / "bin", "")
    (tmp_path / "bin" / PHOTOS).write_bytes(b"\x7fELF of another machine")
    with pytest.raises(
        UnavailableError, match=r"FaceLandmarkImg cannot be started .*; see https://github.com"
    ):
        tool.run(PHOTOS, [], work=tmp_path)
    with pytest.raises(UnavailableError, match="bin holds no FeatureExtraction; install OpenFace again"):
        tool.run(VIDEO, [], work=tmp_path)


def test_docker_sees_the_work_folder_and_the_video_and_nothing_else(tmp_path):
    work, film = tmp_path / "a work, folder", tmp_path / 'my "film", café.mp4'
    command = OpenFace(None, "/usr/bin/docker").command(
        VIDEO,
        ["-f", film, "-out_dir", work / "out", "-aus"],
        work=work,
        videos={film: "video.mp4"},
        name="one",
    )
    quoted = str(film).replace('"', '""')
    assert command == [
        *("/usr/bin/docker", "run", "--rm", "--pull", "never", "--network", "none", "--name", "one"),
        *("--mount", f'type=bind,"source={work}",target=/lot'),
        *("--mount", f'type=bind,"source={quoted}",target=/in/video.mp4,readonly'),
        *("--workdir", "/home/openface-build/build/bin"),
        *("--entrypoint", "/home/openface-build/build/bin/FeatureExtraction", "algebr/openface"),
        *("-f", "/in/video.mp4", "-out_dir", "/lot/out", "-aus"),
    ]


def test_a_container_that_hangs_is_killed_by_its_name(monkeypatch, tmp_path):
    monkeypatch.setattr(openface_tool, "time", made_clock((tmp_path / "calls").exists))
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(
        f"#!/bin/sh\necho \"$@\" >> '{tmp_path}/calls'\nif [ $1 = run ]; then exec /bin/sleep 600; fi\n"
    )
    (folder / "docker").chmod(0o755)
    tool = OpenFace(None, str(folder / "docker"))
    with pytest.raises(OpenFaceError, match="hung"):
        tool.run(PHOTOS, [], work=tmp_path, stalled_s=0.3)
    run, kill = (tmp_path / "calls").read_text().splitlines()
    name = run.split("--name ")[1].split()[0]
    assert kill == f"kill {name}" and name.startswith("feat-openface-")


def test_the_docker_that_was_made_behaves_as_the_runner_asks(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(make_docker(tmp_path / "docker", say="hello", exit=7)))
    with pytest.raises(OpenFaceError, match=r"exit code 7: .*hello"):
        find_openface().run(PHOTOS, ["-fdir", tmp_path / "in"], work=tmp_path)
    calls = [json.loads(line) for line in (tmp_path / "docker" / "calls.jsonl").read_text().splitlines()]
    assert calls[0][:2] == ["image", "inspect"] and calls[1][-2:] == ["-fdir", "/lot/in"]
