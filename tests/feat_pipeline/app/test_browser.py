"""The page in a real browser, with the shipped models: what a person does, and what a person sees.

Screens go to the folder that FEAT_SCREENS names, else to pytest's own; the browser is Debian's Chromium, or
what FEAT_CHROMIUM names.
"""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from feat_pipeline.app.serve import serving
from feat_pipeline.app.service import FaceService

pytest.importorskip("gradio", reason="the web page needs the extra app")
playwright = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

CHROMIUM = os.environ.get("FEAT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site():
    service = FaceService()
    with serving(service) as address:
        yield service, address


@pytest.fixture(scope="module")
def browser(tmp_path_factory, feat_photos):
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one with FEAT_CHROMIUM")
    film = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    film.write_bytes((feat_photos / "single_face.jpg").read_bytes() * 3)
    arguments = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream"]
    arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def screens(tmp_path):
    folder = Path(os.environ.get("FEAT_SCREENS") or tmp_path / "screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def visit(browser, site):
    """Open the page at a size; every request must stay on this machine, and nothing may go wrong in it."""
    contexts, hosts, wrong = [], set(), []

    def opened(size):
        context = browser.new_context(viewport=size, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: hosts.add(re.match(r"\w+:(//[^/:]+)?", request.url)[0]))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(site[1])
        page.get_by_text("Drop a photo here").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert hosts <= {"http://127.0.0.1", "data:", "blob:"}
    assert wrong == []


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def violations(page):
    """Run axe-core where FEAT_AXE names its axe.min.js; without it nothing is checked."""
    source = os.environ.get("FEAT_AXE")
    if not source:
        return []
    page.evaluate(Path(source).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    return [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in found["violations"]]


@pytest.mark.parametrize(("size", "name"), [(DESK, "desk"), (PHONE, "phone")])
def test_a_photo_is_explained_asked_about_and_taken_away(visit, site, feat_photos, screens, size, name):
    photo = feat_photos / "multi_face.jpg"
    faces = site[0].predictor.predict(photo)
    page = visit(size)
    page.screenshot(path=screens / f"{name}-1-start.png")
    page.set_input_files("#drop-photo", photo)
    page.locator(".answer h2").wait_for()

    # a click on the third face, in the picture or, with thumbs, below it
    third = page.locator("button.mark[data-face='2']" if name == "desk" else "button.face[data-face='2']")
    third.click()
    page.locator(".answer h2 .no", has_text="3").wait_for()
    said = faces[2].probabilities
    heading = page.locator(".answer h2").inner_text()
    best = faces[2].label()
    assert best in heading and f"{100 * said['logit-embedded'][best]:.0f} %" in heading
    assert faces[2].explanations["logit-embedded"].rationale == page.locator(".why .rationale").inner_text()
    cells = page.locator(".answer .beside tbody tr").all_inner_texts()
    shown = {line.split()[0]: re.findall(r"[<>]? ?\d+ %", line) for line in cells}
    assert shown[best][1] == f"{100 * said['cnn-fer2013'][best]:.0f} %"
    assert page.locator(".crop .highlight").count() >= 2
    page.screenshot(path=screens / f"{name}-2-face.png", full_page=True)

    page.select_option("#ask-target", "happy")
    page.select_option("#ask-rival", "surprise")
    page.get_by_text("this face: happy rather than surprise").wait_for()

    page.select_option("#ask-goal", "fear")
    page.locator(".ways h4", has_text="then fear").first.wait_for()

    slider = page.locator("#au-AU04_r")
    before = page.locator(".verdict2").inner_text()
    slider.focus()
    for _ in range(6):
        slider.press("PageUp")
    page.get_by_text("Moved: AU4").wait_for()
    assert page.locator(".verdict2").inner_text() != before
    page.locator("#what-if").scroll_into_view_if_needed()
    page.screenshot(path=screens / f"{name}-3-sliders.png")
    page.locator("[data-try]").first.click()
    page.locator(".verdict2", has_text="fear").wait_for()
    page.locator("[data-reset]").click()
    page.get_by_text("All as measured.").wait_for()
    assert page.locator(".verdict2").inner_text() == before

    assert fits(page)
    assert violations(page) == []
    taken = {}
    for kind in ("csv", "json", "html"):
        with page.expect_download() as download:
            page.locator(f"[data-take={kind}]").click()
        taken[kind] = Path(download.value.path()).read_text(encoding="utf-8")
        assert download.value.suggested_filename == f"multi_face.{kind}"
    rows = list(csv.DictReader(taken["csv"].splitlines()))
    assert len(rows) == len(faces) == 5
    assert float(rows[2]["AU12_r"]) == pytest.approx(faces[2].aus["AU12_r"], rel=1e-4)
    assert json.loads(taken["json"])["faces"][2]["probabilities"] == said
    assert taken["html"].count('<article class="card"') == 5


def test_what_is_no_photo_gets_a_sentence_and_the_next_photo_an_answer(visit, feat_photos, screens, tmp_path):
    page = visit(PHONE)
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    page.set_input_files("#drop-photo", text)
    sorry = page.locator(".say.sorry")
    sorry.wait_for()
    assert sorry.inner_text().startswith("This file is no JPEG")
    page.screenshot(path=screens / "phone-4-sorry.png")
    page.set_input_files("#drop-photo", feat_photos / "single_face.jpg")
    page.locator(".answer h2").wait_for()
    assert page.locator(".say.sorry").count() == 0
    # a photo from the clipboard
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["no picture"], "pasted.png", {type: "image/png"}));
          document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
        }"""
    )
    sorry.wait_for()


def test_keys_alone_lead_through_the_page(visit, feat_photos):
    page = visit(DESK)
    page.keyboard.press("Tab")
    stops = []
    for _ in range(6):
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.innerText"))
        page.keyboard.press("Tab")
    assert "Photo" in stops and "drop-photo" in stops
    page.set_input_files("#drop-photo", feat_photos / "multi_face.jpg")
    page.locator(".answer h2").wait_for()
    page.locator("button.face[data-face='1']").focus()
    page.keyboard.press("Enter")
    page.locator(".answer h2 .no", has_text="2").wait_for()
    focused = page.evaluate("document.activeElement.dataset.face")
    assert focused == "1"  # the focus is not lost when the answer comes


def test_two_photos_are_compared(visit, feat_photos, screens):
    page = visit(DESK)
    page.get_by_role("tab", name="Compare").click()
    page.set_input_files("#drop-compare", [feat_photos / "single_face.jpg", feat_photos / "multi_face.jpg"])
    page.locator(".differ").wait_for()
    page.locator("button.face[data-side='1'][data-face='3']").click()
    page.locator(".answer h2", has_text="neutral").wait_for()
    page.screenshot(path=screens / "desk-5-compare.png", full_page=True)
    assert fits(page) and violations(page) == []


def test_the_camera_is_answered_again_and_again(visit, screens):
    page = visit(DESK)
    page.get_by_role("tab", name="Camera").click()
    page.locator("[data-camera=start]").click()
    page.locator(".live .beside").wait_for()
    for _ in range(3):  # each is sent when the one before was answered
        with page.expect_request(re.compile("/queue/join")):
            pass
    assert "happy" in page.locator(".live h3").inner_text()
    page.screenshot(path=screens / "desk-6-camera.png")
    page.locator("[data-camera=stop]").click()
    page.locator("[data-camera=start]").wait_for()
    assert violations(page) == []


def test_a_video_gets_its_series_and_its_film(visit, feat_photos, screens):
    page = visit(DESK)
    page.get_by_role("tab", name="Video").click()
    page.set_input_files("#drop-video", feat_photos / "single_face.mp4")
    page.locator(".fp video[src]").wait_for()
    length = page.evaluate(
        """() => new Promise((done) => {
          const film = document.querySelector(".fp video[src]");
          film.readyState ? done(film.duration) : (film.onloadedmetadata = () => done(film.duration));
        })"""
    )
    assert length > 0
    page.screenshot(path=screens / "desk-7-video.png", full_page=True)
    assert violations(page) == []
