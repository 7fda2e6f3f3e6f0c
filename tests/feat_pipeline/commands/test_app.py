import inspect
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from feat_pipeline.app import serve
from feat_pipeline.app.limits import Limits
from feat_pipeline.app.service import FaceService
from feat_pipeline.cli import build_parser
from tests.feat_pipeline.waiting import GUARD_S


def test_without_gradio_the_command_says_what_installs_it(run, monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: None)
    code, out, error = run("app")
    assert (code, out) == (2, "")
    assert error == (
        "feat-pipeline: app: the package gradio is not installed; run: pip install 'feat-pipeline[app]'\n"
    )


@pytest.mark.parametrize("option", ["--photo-mb", "--video-seconds", "--waiting"])
def test_a_limit_of_nothing_costs_one_line(run, option):
    pytest.importorskip("gradio", reason="the web page needs the extra app")
    code, _, error = run("app", option, "0")
    assert code == 2 and "expected a number above 0" in error and error.count("\n") == 1


def test_the_limits_of_the_command_are_those_of_the_page(run, monkeypatch):
    taken = []
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: object())
    monkeypatch.setattr("feat_pipeline.app.service.FaceService", lambda limits, **_: taken.append(limits))
    assert run("app", "--port", 70000)[0] == 2
    assert taken == [Limits()]


def test_the_command_listens_where_the_page_does_by_default():
    asked = build_parser().parse_args(["app"])
    assert asked.host == inspect.signature(serve.serving).parameters["host"].default
    assert asked.detector == inspect.signature(FaceService).parameters["detector"].default


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(run, monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: object())
    monkeypatch.setattr("feat_pipeline.app.service.FaceService", lambda *_, **__: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, error = run("app", "--port", port)
    assert (code, out) == (2, "")
    assert f"cannot listen at 127.0.0.1, port {port} (address already in use); choose another" in error


def test_a_port_that_there_cannot_be_is_refused(run, monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: object())
    monkeypatch.setattr("feat_pipeline.app.service.FaceService", lambda *_, **__: None)
    code, _, error = run("app", "--port", 70000)
    assert code == 2 and "port: expected 0 to 65535, got 70000" in error


def test_another_host_is_warned_of(run, monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: object())
    monkeypatch.setattr("feat_pipeline.app.service.FaceService", lambda *_, **__: None)
    code, _, error = run("app", "--host", "999.1.1.1")
    assert code == 2 and "warning: at 999.1.1.1 every machine that reaches this one can use the page" in error


@pytest.mark.slow
def test_the_command_serves_until_it_is_ended_and_leaves_nothing(tmp_path):
    pytest.importorskip("gradio", reason="the web page needs the extra app")
    command = [sys.executable, "-m", "feat_pipeline.cli", "app", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            with urllib.request.urlopen(address, timeout=GUARD_S) as answer:
                page = answer.read().decode()
            assert list(tmp_path.glob("feat-pipeline-app-*/uploads"))
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(GUARD_S) == 0
    assert "feat-pipeline" in page and "googleapis" not in page
    assert list(tmp_path.glob("feat-pipeline-app-*")) == []
