import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from feat_pipeline.errors import UnavailableError, UsageError
from feat_pipeline.weights import download as module
from feat_pipeline.weights import pyfeat as pyfeat_weights
from feat_pipeline.weights.download import FETCHABLE, fetch, licences
from feat_pipeline.weights.hub import reachable
from feat_pipeline.weights.pyfeat import NEEDED
from tests import ROOT
from tests.feat_pipeline.extract.backends.pyfeat_made import REVISION, place_empty
from tests.feat_pipeline.waiting import GUARD_S

NOWHERE = "http://127.0.0.1:9"

NOTE_CONNECTIONS = """
import sys

def note(event, arguments):
    if event == "socket.connect":
        with open({file!r}, "a") as file:
            print(arguments[1], file=file)

sys.addaudithook(note)
"""


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does for every file of Detectorv2 but those in ``lacking``; cuts some off."""

    lacking: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()
    asked: list[str]

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        type(self).asked.append(f"{self.command} {self.path}")
        name = self.path.split("/")[-1]
        known = any(self.path == f"/{w.repo_id}/resolve/main/{w.file}" for w in NEEDED["pyfeat"])
        if not known or name in self.lacking:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = f"weights of {name}".encode() * 1000
        self.send_response(200)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content[: len(content) // 2] if name in self.cut_off else content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub():
    """A hub on this machine, and its handler."""
    handler = type("OneHub", (Hub,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        handler.url = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()


@pytest.fixture
def package(tmp_path):
    """A folder with an empty package 'feat', which stands before the installed one."""
    (tmp_path / "feat").mkdir()
    (tmp_path / "feat" / "__init__.py").touch()
    return tmp_path


def run_apart(package, endpoint, *names, **variables):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), str(ROOT)]),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "no_proxy": "127.0.0.1",
        **variables,
    }
    command = [sys.executable, "-m", "feat_pipeline.cli", "models", "fetch", *names]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=GUARD_S)


def test_it_tells_the_licences_and_puts_the_weights_where_py_feat_reads_them(package, hub):
    done = run_apart(package, hub.url, "pyfeat")
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.splitlines()]
    resources = package / "feat" / "resources"
    assert files == [
        resources / f"models--py-feat--{w.repo}" / "snapshots" / REVISION / w.file for w in NEEDED["pyfeat"]
    ]
    assert files[0].read_text().startswith("weights of face_multitask_v28.safetensors")
    assert "licence of py-feat/face_multitask_v2: non-commercial use only" in done.stderr
    began = len(hub.asked)
    again = run_apart(package, NOWHERE, "pyfeat")
    assert again.returncode == 0 and again.stdout == done.stdout and len(hub.asked) == began


def test_a_hub_that_cannot_be_reached_is_told_at_once(package):
    noted = package / "connections"
    (package / "sitecustomize.py").write_text(NOTE_CONNECTIONS.format(file=str(noted)))
    done = run_apart(package, NOWHERE, "pyfeat")
    assert noted.read_text() == "('127.0.0.1', 9)\n"  # asked once
    assert done.returncode == 1 and done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"feat-pipeline: pyfeat: the hub {NOWHERE} cannot be reached (Connection refused)")
    assert str(package / "feat" / "resources") in last


def test_a_download_that_breaks_off_leaves_no_half_file_and_can_be_gone_on_with(package, hub):
    hub.cut_off = ("model.safetensors",)
    done = run_apart(package, hub.url, "pyfeat")
    assert done.returncode == 1 and "retinaface_r34/model.safetensors: the download broke off" in done.stderr
    assert "1 of 2 files are on this machine; run the command again" in done.stderr
    assert not list(package.rglob("snapshots/*/model.safetensors"))
    hub.cut_off = ()
    assert run_apart(package, hub.url, "pyfeat").returncode == 0


def test_a_file_that_the_hub_lacks_is_named(package, hub):
    hub.lacking = ("model.safetensors",)
    done = run_apart(package, hub.url, "pyfeat")
    assert done.returncode == 1
    assert "py-feat/retinaface_r34/model.safetensors: the hub has no such file" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(package, hub):
    (package / "feat" / "resources").write_text("a file stands where the folder should")
    done = run_apart(package, hub.url, "pyfeat")
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr


def test_a_hub_switched_off_is_told(package):
    done = run_apart(package, NOWHERE, "pyfeat", HF_HUB_OFFLINE="1")
    assert done.returncode == 1 and "switched off by HF_HUB_OFFLINE" in done.stderr


def test_a_server_that_never_answers_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        reason = reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", patience_s=0.4)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was asked once
            silent.accept()
    assert "timed out" in reason or "no answer within 0.4 s" in reason


def test_any_answer_of_a_server_is_one(hub):
    assert reachable(f"{hub.url}/nothing/here") == ""


def test_a_name_that_cannot_be_looked_up_is_told():
    assert reachable("https://no-such-host.invalid", patience_s=1.5) != ""
    assert reachable("no address at all") != ""


def test_what_is_on_the_machine_is_not_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(pyfeat_weights, "resources", lambda: tmp_path)
    monkeypatch.setattr(module, "resources", lambda: tmp_path)
    monkeypatch.setattr(module, "_check_hub", lambda: pytest.fail("the hub was asked"))
    place_empty(tmp_path, "pyfeat-mp")
    assert [file.name for file in fetch("pyfeat-mp")] == [w.file for w in NEEDED["pyfeat-mp"]]


def test_mediapipes_file_is_fetched_by_its_own_module(tmp_path, monkeypatch):
    known = {"feat_pipeline.extract.backends.mediapipe:fetch": lambda: tmp_path}
    monkeypatch.setattr(module, "resolve", known.__getitem__)
    assert fetch("mediapipe") == [tmp_path]


def test_every_name_has_licences_and_an_unknown_one_is_refused():
    assert all(licences(name) for name in FETCHABLE)
    for function in (fetch, licences):
        with pytest.raises(UsageError, match=r"expected one of pyfeat, .*, got 'openface'"):
            function("openface")


def test_where_py_feat_is_not_installed_the_hub_is_not_asked(monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"pip install 'feat-pipeline\[pyfeat\]'$"):
        fetch("pyfeat")


def test_of_several_backends_each_is_tried(run, monkeypatch, tmp_path):
    def one_fails(name):
        if name == "pyfeat":
            raise UnavailableError("the hub sleeps")
        return [tmp_path / name]

    monkeypatch.setattr(module, "fetch", one_fails)
    code, out, err = run("models", "fetch", "pyfeat", "mediapipe", "pyfeat")
    assert code == 1 and out.split() == [str(tmp_path / "mediapipe")]
    assert err.count("feat-pipeline: pyfeat: the hub sleeps") == 1
    assert "Apache License 2.0" in err


def test_an_unknown_backend_is_wrong_usage(run):
    code, out, err = run("models", "fetch", "openface")
    assert code == 2 and out == "" and "invalid choice: 'openface'" in err
