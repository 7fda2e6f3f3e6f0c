"""The page through HTTP, as a browser speaks with it: twenty people at once, with good files and bad ones."""

import gc
import io
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the web page needs the extra app")

from gradio_client import Client

from feat_pipeline.app.limits import Limits
from feat_pipeline.app.serve import serving
from feat_pipeline.app.service import FaceService
from tests.feat_pipeline.app.conftest import encoded, two_faces
from tests.feat_pipeline.waiting import GUARD_S, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

PLAIN = np.full((90, 120, 3), 90, np.uint8)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder that everything temporary goes to."""
    import tempfile

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def files_in(folder):
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def send(address, content, kind="photo"):
    import httpx

    headers = {"content-type": "application/octet-stream", "x-feat-kind": kind}
    answer = httpx.post(f"{address}feat/upload", content=content, headers=headers, timeout=GUARD_S)
    return answer.status_code, answer.json()


def ask(address, content, name):
    """Send a photo as one person, and return what the page says: the refusal, or the answer's HTML."""
    status, told = send(address, content)
    if status != 200:
        return told["detail"]
    client = Client(address, verbose=False, httpx_kwargs={"timeout": GUARD_S})
    parts = client.predict(json.dumps([{"name": name, "ticket": told["ticket"]}]), api_name="/photo")
    client.close()
    texts = [part for part in parts if isinstance(part, str) and part]
    return " ".join(" ".join(re.sub(r"<[^>]+>", " ", text).split()) for text in texts)


def resident_mb():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_twenty_people_at_once_are_all_answered_rightly_and_nothing_is_kept(
    fakes, model_dir, temporary, tmp_path
):
    limits = Limits(photo_mb=2, photo_megapixels=1, waiting=40)
    service = FaceService(limits, detector="fake", models=(model_dir,))
    good = [encoded(two_faces(), kind) for kind in ("PNG", "BMP", "WEBP")]
    moving = io.BytesIO()
    first = Image.fromarray(two_faces())
    first.save(moving, "WEBP", save_all=True, append_images=[first.rotate(9)], lossless=True)
    files = [
        *((content, "2 faces; choose one") for content in good * 3),
        (moving.getvalue(), "only the first was looked at"),
        (encoded(PLAIN), "No face was found in this picture."),
        (encoded(PLAIN[:9, :11]), "This picture is only 11 × 9 pixels"),
        (encoded(np.zeros((1100, 1000, 3), np.uint8)), "This picture has 1,000 x 1,100 = 1,100,000 pixels"),
        (encoded(two_faces())[:-60], "This file is damaged or not all there"),
        (b"GIF89a nothing", "This is a GIF"),
        (b"hello", "This file is no JPEG, PNG, WebP, BMP, TIFF, HEIC, AVIF or JPEG 2000 picture"),
        (b"", "The file is empty"),
        (bytes(2_000_001), "at most 2.0 MB are taken here"),
        (b"\0\0\0\x18ftypisom", "This is a video; send it under Video."),
        (os.urandom(50_000), "This file is no JPEG"),
    ]
    assert len(files) == 20
    expected = service.predictor.predict(two_faces())[0].probabilities["tiny"]["happy"]
    before = threading.active_count()
    with serving(service) as address, ThreadPoolExecutor(20) as people:
        sizes = []
        for _ in range(2):
            asked = people.map(lambda n: ask(address, files[n][0], f"photo{n}.png"), range(len(files)))
            answers = list(asked)
            for (_, told), answer in zip(files, answers, strict=True):
                assert told in answer
                assert str(tmp_path) not in answer and "Traceback" not in answer
            for answer in answers[:10]:
                assert f"happy {100 * expected:.0f} %" in answer
            assert files_in(temporary) == []
            sizes.append(resident_mb())
        assert sizes[1] - sizes[0] < 60
        assert threading.active_count() < before + 120
    assert list(temporary.iterdir()) == []


def test_more_than_may_wait_are_asked_to_come_again(fakes, model_dir, temporary):
    service = FaceService(Limits(waiting=2), detector="fake", models=(model_dir,))
    with serving(service) as address, ThreadPoolExecutor(8) as people, service.lock:
        asked = [people.submit(ask, address, encoded(two_faces()), "a.png") for _ in range(8)]
        wait_until(lambda: sum(future.done() for future in asked) >= 5)
        refused = [future for future in asked if future.done()]
        service.lock.release()
        try:
            answers = [future for future in asked if future.exception(GUARD_S) is None]
        finally:
            service.lock.acquire()
    assert len(refused) == 5 and all(future.exception() for future in refused)
    assert len(answers) == 3 and all("2 faces; choose one" in future.result() for future in answers)


def test_other_names_and_origins_have_no_access(fakes, model_dir, temporary):
    import httpx

    service = FaceService(Limits(), detector="fake", models=(model_dir,))
    with serving(service) as address:
        assert httpx.get(address).status_code == 200
        assert httpx.get(address, headers={"host": "rebound.example"}).status_code == 400
        upload = httpx.post(f"{address}gradio_api/upload", files={"files": b"x"})
        assert upload.status_code == 404
        for path in ("gradio_api/file=/etc/passwd", f"gradio_api/file={temporary}", "docs"):
            assert httpx.get(address + path).status_code >= 400
        config = httpx.get(f"{address}config").text
        assert str(temporary) not in config and "site-packages" not in config
