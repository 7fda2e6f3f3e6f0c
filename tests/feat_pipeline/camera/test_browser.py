"""The camera's page in a real browser: what it shows, tells and lets one do."""

import os
import shutil

import numpy as np
import pytest

from feat_pipeline.camera.page import PageView
from feat_pipeline.film.follow import Follower
from tests.feat_pipeline.render.made import made_face

playwright = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]

CHROMIUM = os.environ.get("FEAT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def tab():
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one with FEAT_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def follow(**answers):
    return Follower({}).update(0.0, [made_face((2, 3, 20, 20), {12: 1}, **answers)])


def test_the_page_shows_pictures_tells_answers_pauses_and_says_when_it_ends(tab):
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    with PageView("camera 0") as page:
        page.show(np.full((120, 200, 3), 90, np.uint8), 1.0, follow(cnn={"happy": 0.9, "sad": 0.1}))
        tab.clock.install()
        tab.goto(page.address, wait_until="commit")
        tab.get_by_text("Face 1: happy 90 %").wait_for()
        assert tab.locator("#news").inner_text() == "face 1 happy"
        tab.wait_for_function("document.getElementById('live').naturalWidth == 200")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390

        pause = tab.get_by_role("button", name="Pause")
        pause.focus()
        tab.keyboard.press("Enter")
        page.show(np.full((120, 200, 3), 90, np.uint8), 2.0, follow(cnn={"happy": 0.1, "sad": 0.9}))
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.clock.run_for(3000)
        assert not [address for address in asked if "answers" in address]
        assert tab.get_by_text("Face 1: happy 90 %").count() == 1
        tab.get_by_role("button", name="Go on").click()
        tab.get_by_text("Face 1: sad 90 %").wait_for()

        with tab.expect_download() as saved:
            tab.get_by_text("Save picture").click()
        assert saved.value.suggested_filename.startswith("camera_20")
        page.show(np.full((120, 200, 3), 90, np.uint8), 3.0, [])
        tab.get_by_text("No face is seen.").wait_for()
    tab.get_by_text("The program has ended; start it again and open its new address.").wait_for()
    assert wrong == []
