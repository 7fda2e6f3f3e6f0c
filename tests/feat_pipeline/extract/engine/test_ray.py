"""Ray gives the table of the local engine, on one node and on two, and when an actor dies."""

import os
import socket
import subprocess
import sys

import pytest

from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract.engine.ray import _connect
from feat_pipeline.runs.extract import extract
from tests import ROOT
from tests.feat_pipeline.extract.engine.test_unfinished import results, write_photos
from tests.feat_pipeline.waiting import GUARD_S

pytest.importorskip("ray")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    write_photos(tmp_path / "photos", 150)
    return tmp_path / "photos"


def python(*arguments, marks=None):
    env = os.environ | {"PYTHONPATH": str(ROOT), "MARKS": str(marks)}
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=GUARD_S)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def test_ray_here_writes_the_table_of_the_local_engine(folder, tmp_path):
    program = "tests.feat_pipeline.fake_program"
    python(program, "extract", folder, "--out", tmp_path / "local")
    told = python(program, "extract", folder, "--out", tmp_path / "ray", "--engine", "ray", "--jobs", "2")
    assert results(tmp_path / "ray") == results(tmp_path / "local")
    assert "150 inputs, 150 faces, skipped: none" in told


@pytest.mark.slow
@pytest.mark.parametrize("kill", [[], ["kill"]], ids=["undisturbed", "an actor killed"])
def test_two_nodes_write_the_table_of_the_local_engine(folder, tmp_path, kill):
    marks = tmp_path / "marks"
    marks.mkdir()
    python(
        "tests.feat_pipeline.fake_program",
        "extract",
        folder,
        "--out",
        tmp_path / "local",
        "--backend",
        "auto",
    )
    python("tests.feat_pipeline.extract.engine.ray_cluster", folder, tmp_path / "ray", *kill, marks=marks)
    workers = [mark.name.split("-") for mark in marks.iterdir()]
    assert {node for node, _ in workers} == {"head", "other"}
    if kill:
        assert len(workers) >= 3 and (tmp_path / "killed").read_text() in {pid for _, pid in workers}
    for name in ("aus.csv", "skipped.csv"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_without_ray_the_command_that_mends_it_is_told(fakes, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnavailableError, match=r"pip install 'feat-pipeline\[scale\]'"):
        extract(folder, engine="ray")


def test_an_address_where_no_cluster_is_is_refused_at_once(fakes, folder):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=f"no cluster at {address} .*refused"):
            extract(folder, engine="ray", address=address)


def test_a_node_that_does_not_start_in_time_is_tried_again(monkeypatch):
    ray = pytest.importorskip("ray")
    answers = [Exception("The current node timed out during startup."), None]

    def init(**options):
        answer = answers.pop(0)
        if answer:
            raise answer

    monkeypatch.setattr(ray, "init", init)
    _connect(None)
    assert not answers


def test_a_node_that_never_starts_is_told_in_one_line(monkeypatch):
    ray = pytest.importorskip("ray")
    tried = []

    def init(**options):
        tried.append(options)
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UnavailableError, match=r"no cluster at this machine \(The current node timed out"):
        _connect(None)
    assert len(tried) == 3
