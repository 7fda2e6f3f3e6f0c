import hashlib
import http.server
import io
import os
import socket
import subprocess
import sys
import threading
import zipfile

import pytest

from feat_pipeline.errors import OutputError, UnavailableError
from feat_pipeline.weights import mediapipe as bundle

CONTENT = b"a bundle of 37 bytes, as far as it goes"


class Owner:
    """Something that a task belongs to."""


@pytest.fixture
def server(monkeypatch):
    """A server of what `answer` says: content, declared length, status."""
    answer = {"content": CONTENT, "length": None, "status": 200}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self, body=True):
            self.send_response(answer["status"])
            length = len(answer["content"]) if answer["length"] is None else answer["length"]
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if body:
                self.wfile.write(answer["content"])

        def do_HEAD(self):
            self.do_GET(body=False)

        def log_message(self, *arguments):
            pass

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(bundle, "URL", f"http://127.0.0.1:{serving.server_port}/face_landmarker.task")
    monkeypatch.setattr(bundle, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    yield answer
    serving.shutdown()
    serving.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache folder, empty."""
    monkeypatch.delenv(bundle.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "feat-pipeline"


def zipped(*members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in members:
            archive.writestr(name, b"network")
    return content.getvalue()


def test_it_is_fetched_to_where_the_backend_looks(server, cache):
    assert bundle.fetch() == cache / "face_landmarker.task" == bundle.default_path()
    assert bundle.default_path().read_bytes() == CONTENT
    assert [file.name for file in cache.iterdir()] == ["face_landmarker.task"]


def test_a_whole_one_is_kept_and_a_damaged_one_replaced(server, cache, tmp_path):
    target = bundle.fetch(tmp_path / "mine.task")
    server["status"] = 404
    assert bundle.fetch(target) == target
    target.write_bytes(CONTENT[:-1])
    with pytest.raises(UnavailableError, match="the download broke off"):
        bundle.fetch(target)
    server["status"] = 200
    assert bundle.fetch(target).read_bytes() == CONTENT


def test_another_file_is_refused_and_nothing_kept(server, cache):
    server["content"] = b"<html>log in to this network</html>"
    with pytest.raises(
        UnavailableError, match=r"expected the file with SHA-256 .*, got 35 bytes .*a proxy may"
    ):
        bundle.fetch()
    assert not bundle.default_path().exists()


def test_a_download_that_breaks_off_leaves_nothing(server, cache):
    server["length"] = 1000
    with pytest.raises(
        UnavailableError, match=r"broke off .*; run the command again, or download it elsewhere"
    ):
        bundle.fetch()
    assert not cache.exists()


def test_without_a_network_it_says_so_at_once(server, cache, monkeypatch):
    monkeypatch.setattr(bundle, "URL", "http://127.0.0.1:9/face_landmarker.task")
    asked, connect = [], socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *a, **b: asked.append(a[0]) or connect(*a, **b))
    with pytest.raises(UnavailableError, match=r"cannot be reached \(.*refused.*\); check the connection"):
        bundle.fetch()
    assert asked == [("127.0.0.1", 9)]


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OutputError, match=r"file.*cannot be written .*; name another folder by XDG_CACHE_HOME"
    ):
        bundle.fetch(tmp_path / "file" / "face_landmarker.task")


def test_a_missing_bundle_names_the_command_that_gets_it(cache):
    with pytest.raises(
        UnavailableError, match=r"not on this machine; run: feat-pipeline models fetch mediapipe$"
    ):
        bundle.find_bundle()


def test_a_bundle_that_is_named_wrongly_is_named_in_the_error(cache, tmp_path, monkeypatch):
    with pytest.raises(
        UnavailableError, match=r"gone\.task is no file; run: feat-pipeline models fetch mediapipe$"
    ):
        bundle.find_bundle(tmp_path / "gone.task")
    monkeypatch.setenv(bundle.VARIABLE, str(tmp_path / "lost.task"))
    with pytest.raises(UnavailableError, match=r"lost\.task is no file; .* and unset FEAT_MEDIAPIPE_MODEL$"):
        bundle.find_bundle()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip file"),
        (b"PK\x03\x04 cut off", "not a zip file"),
        (zipped(bundle.DETECTOR), "it lacks face_landmarks_detector.tflite, face_blendshapes.tflite"),
    ],
)
def test_a_damaged_bundle_is_no_bundle(tmp_path, content, reason):
    (tmp_path / "bad.task").write_bytes(content)
    with pytest.raises(UnavailableError, match=rf"bad\.task is no face landmarker bundle \(.*{reason}"):
        bundle.find_bundle(tmp_path / "bad.task")


def test_the_named_bundle_comes_before_the_variable_and_that_before_the_fetched_one(
    cache, tmp_path, monkeypatch
):
    files = [tmp_path / name for name in ("named.task", "variable.task")] + [bundle.default_path()]
    for file in files:
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(zipped(*bundle.MEMBERS))
    monkeypatch.setenv(bundle.VARIABLE, str(files[1]))
    assert bundle.find_bundle(files[0]) == files[0] and bundle.find_bundle() == files[1]
    monkeypatch.delenv(bundle.VARIABLE)
    assert bundle.find_bundle() == files[2]


def test_a_missing_package_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("feat_pipeline.errors.find_spec", lambda name: None)
    with pytest.raises(
        UnavailableError, match=r"not installed; run: pip install 'feat-pipeline\[mediapipe\]'$"
    ):
        bundle.check_package()


def test_a_bundle_that_mediapipe_refuses_says_why_and_keeps_the_terminal_clean(capfd):
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed (extra mediapipe)")
    with pytest.raises(
        UnavailableError, match=r"FaceLandmarker cannot be made of the bundle \(.+\); run: feat-"
    ):
        bundle.open_task(Owner(), "FaceLandmarker", zipped(*bundle.MEMBERS))
    assert capfd.readouterr().err == ""


def test_what_native_code_says_is_kept_from_the_terminal(capfd):
    with bundle.quiet() as said:
        os.write(2, b"E0000 something broke\n")
        assert said() == "E0000 something broke\n"
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


@pytest.mark.shared
def test_no_certificates_are_handed_on_so_that_nothing_can_be_reported(landmarker_file, monkeypatch):
    from mediapipe.tasks.python import vision

    seen = []
    original = vision.FaceLandmarker.create_from_options
    monkeypatch.setattr(
        vision.FaceLandmarker,
        "create_from_options",
        lambda options: seen.append(options.base_options.to_ctypes().ca_bundle_path) or original(options),
    )
    owner = Owner()
    bundle.open_task(owner, "FaceLandmarker", landmarker_file.read_bytes())
    assert seen == [b"/dev/null"]


@pytest.mark.shared
def test_a_program_that_uses_it_ends_without_a_word(landmarker_file):
    code = (
        "import numpy as np; from feat_pipeline.extract.backends.mediapipe import MediapipeExtractor;"
        "from feat_pipeline.detect.blazeface import BlazefaceDetector;"
        f"extractor = MediapipeExtractor({str(landmarker_file)!r});"
        f"detector = BlazefaceDetector(model={str(landmarker_file)!r});"
        "detector.detect(np.zeros((90, 80, 3), np.uint8)); del detector; print(extractor.version)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Whether a picture lies at an address that its native library copies, and says so, is chance.
    said = [line for line in done.stderr.splitlines() if "Input tensor memory is not aligned" not in line]
    assert done.stdout.endswith("/64184e22\n") and said == []


@pytest.mark.shared
def test_the_check_imports_nothing(landmarker_file):
    code = (
        "import sys; from feat_pipeline.extract.backends.mediapipe import MediapipeExtractor;"
        "before = set(sys.modules); print(MediapipeExtractor.check());"
        "added = {name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names;"
        "assert not added and 'mediapipe' not in sys.modules, added"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={bundle.VARIABLE: str(landmarker_file), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.shared
def test_the_bundle_that_is_fetched_is_the_one_that_was_measured(landmarker_file):
    assert hashlib.sha256(landmarker_file.read_bytes()).hexdigest() == bundle.SHA256
    assert bundle.find_bundle(landmarker_file) == landmarker_file
