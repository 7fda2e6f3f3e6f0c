"""The layout of the page: which part is filled by which event. Everything else lies in the other modules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

import analysis.report
from feat_pipeline.app import handlers, markup
from feat_pipeline.app.limits import Limits, RefusedError, shown_name
from feat_pipeline.app.service import FaceService
from feat_pipeline.app.uploads import Uploads
from feat_pipeline.app.videos import answer_video

COMPARED_AT_ONCE = 4
STATE_S = 3600
_HERE = Path(__file__).parent
_HTML: dict[str, Any] = {"apply_default_css": False, "elem_classes": "fp"}
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_LIGHT: dict[str, Any] = {**_PRIVATE, "trigger_mode": "multiple"}


def head() -> str:
    """Return the page's style and script as they stand in its head."""
    report = Path(analysis.report.__file__).with_name("templates") / "style.css"
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    return (
        f"<style>:where(.fp){{{report.read_text(encoding='utf-8')}}}\n{style}</style>"
        f"<script>{script}</script>"
    )


def theme() -> gr.themes.Base:
    """Return the theme: the reports' colours, fonts that every system has."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
    return gr.themes.Default(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        font=fonts,
        font_mono=["ui-monospace", "Consolas", "monospace"],
    ).set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#ffffff",
        body_text_color="#1b1f24",
        body_text_color_dark="#1b1f24",
    )


def build_page(service: FaceService, uploads: Uploads) -> gr.Blocks:
    """Lay the page out over what measures and what takes uploads in."""
    with gr.Blocks(title="feat-pipeline", analytics_enabled=False, delete_cache=(60, 60)) as page:
        gr.HTML(markup.render("intro.html"), **_HTML)
        with gr.Tabs():
            with gr.Tab("Photo"):
                _photo_tab(service, uploads)
            with gr.Tab("Video"):
                _video_tab(service, uploads)
            with gr.Tab("Camera"):
                _camera_tab(service, uploads)
            with gr.Tab("Compare"):
                _compare_tab(service, uploads)
    page.queue(max_size=service.limits.waiting, default_concurrency_limit=4, api_open=False)
    return page


def _photo_tab(service: FaceService, uploads: Uploads) -> None:
    held, chosen = gr.State(None, time_to_live=STATE_S), gr.State(0)
    drop = _drop("photo", service.limits, "Drop a photo here, paste it, or choose one", "image/*")
    say = gr.HTML("", **_HTML)
    with gr.Column(visible=False) as results:
        picture = gr.HTML("", js_on_load=_script("faces", "choose", "photo-face"), **_HTML)
        face = gr.HTML("", js_on_load="fp.panel(element)", **_HTML)
        questions = gr.HTML("", js_on_load=_script("questions", "ask", "contrast"), **_HTML)
        contrast = gr.HTML("", **_HTML)
        goal = gr.HTML("", js_on_load=_script("questions", "ask", "goal"), **_HTML)
        change = gr.HTML("", js_on_load="fp.trials(element)", **_HTML)
        gr.HTML('<div class="questions"><h3>What if?</h3></div>', **_HTML)
        with gr.Row(elem_id="what-if"):
            with gr.Column(scale=2, min_width=300):
                sliders = gr.HTML("", js_on_load=_script("sliders", "move", "sliders"), **_HTML)
            with gr.Column(scale=1, min_width=260):
                moved = gr.HTML("", elem_id="moved", **_HTML)
        gr.HTML('<div class="questions"><h3>Take it away</h3></div>', **_HTML)
        take = gr.HTML(
            markup.render("takeaway.html"),
            js_on_load=_script("takeaway", "take", "download"),
            **_HTML,
        )
        taken = gr.HTML("", **_HTML)
    saving = "watch('value', () => fp.download(props.value))"
    download = gr.HTML("", html_template="", js_on_load=saving, **_HTML)
    shown = [face, questions, contrast, goal, change, sliders, moved]

    def on_photo(value: str) -> list[Any]:
        try:
            ((name, ticket),) = handlers.tickets(value)
            with uploads.taken(ticket) as path:
                answer = service.photo(path, name)
            filled = handlers.photo_outputs(answer, 0)
        except Exception as error:
            nothing = [handlers.refusal(error), gr.update(visible=False), None, 0, ""]
            return [*nothing, *[""] * len(shown)]
        found = ["", gr.update(visible=True), answer, 0, markup.picture(answer)]
        return [*found, *filled]

    def on_choose(answer: Any, event: gr.EventData) -> list[Any]:
        try:
            number = handlers.chosen_face(answer, _event_data(event).get("face"))
            return ["", number, *handlers.photo_outputs(answer, number)]
        except Exception as error:
            return [handlers.refusal(error), 0, *[gr.skip()] * len(shown)]

    def on_take(answer: Any, event: gr.EventData) -> tuple[str, Any]:
        try:
            return "", handlers.download_output(answer, _event_data(event).get("what"), service.predictor)
        except Exception as error:
            return handlers.refusal(error), ""

    everything = [say, results, held, chosen, picture, *shown]
    _then("answered('photo')", drop.upload(on_photo, drop, everything, api_name="photo", **_queued(drop)))
    _then("done('photo-face')", picture.choose(on_choose, held, [say, chosen, *shown], **_LIGHT))
    for name, event, handler, output in (
        ("contrast", questions.ask, handlers.contrast_output, contrast),
        ("goal", goal.ask, handlers.change_output, change),
        ("sliders", sliders.move, handlers.moved_output, moved),
    ):
        _then(f"done('{name}')", event(_answering(handler), [held, chosen], output, **_LIGHT))
    _then("done('download')", take.take(on_take, held, [taken, download], **_LIGHT))


def _video_tab(service: FaceService, uploads: Uploads) -> None:
    drop = _drop("video", service.limits, "Drop a short video here, or choose one", "video/*,image/gif")
    answer = gr.HTML("", **_HTML)

    def on_video(value: str) -> str:
        try:
            ((name, ticket),) = handlers.tickets(value)
            with uploads.taken(ticket) as path:
                return markup.video(answer_video(service, path, name))
        except Exception as error:
            return handlers.refusal(error)

    sent = drop.upload(on_video, drop, answer, api_name="video", concurrency_limit=1, **_progress(drop))
    _then("answered('video')", sent)


def _camera_tab(service: FaceService, uploads: Uploads) -> None:
    camera = gr.HTML(markup.render("camera.html"), js_on_load=_script("camera", "capture", "camera"), **_HTML)
    answer = gr.HTML("", **_HTML)

    def on_capture(event: gr.EventData) -> str:
        began = time.perf_counter()
        try:
            return handlers.live_output(service, uploads, _event_data(event).get("picture"), began)
        except Exception as error:
            return handlers.refusal(error)

    _then("done('camera')", camera.capture(on_capture, None, answer, concurrency_limit=2, **_LIGHT))


def _compare_tab(service: FaceService, uploads: Uploads) -> None:
    held, chosen = gr.State([], time_to_live=STATE_S), gr.State([0, 0])
    title = "Drop two photos here, or one with two faces"
    drop = _drop("compare", service.limits, title, "image/*", many=COMPARED_AT_ONCE)
    say = gr.HTML("", **_HTML)
    pool = gr.HTML("", js_on_load=_script("faces", "choose", "pool"), **_HTML)
    comparison = gr.HTML("", **_HTML)

    def on_photos(value: str, faces: list[Any]) -> list[Any]:
        answers, refusals = [], []
        try:
            for name, ticket in handlers.tickets(value, COMPARED_AT_ONCE):
                try:
                    with uploads.taken(ticket) as path:
                        answers.append(service.photo(path, name))
                except RefusedError as error:
                    refusals.append(f"{shown_name(name)}: {error}")
            if answers:
                faces, pair = handlers.pooled(faces, answers)
                filled = handlers.compare_outputs(faces, pair)
        except Exception as error:
            return [handlers.refusal(error), *[gr.skip()] * 4]
        refused = "".join(markup.message(line, "sorry") for line in refusals)
        return [refused, faces, pair, *filled] if answers else [refused, *[gr.skip()] * 4]

    def on_choose(faces: list[Any], pair: list[Any], event: gr.EventData) -> list[Any]:
        try:
            pair = list(pair)
            pair[1 if _event_data(event).get("side") == 1 else 0] = _event_data(event).get("face")
            return ["", pair, *handlers.compare_outputs(faces, pair)]
        except Exception as error:
            return [handlers.refusal(error), *[gr.skip()] * 3]

    outputs = [say, held, chosen, pool, comparison]
    sent = drop.upload(on_photos, [drop, held], outputs, api_name="compare", **_queued(drop))
    _then("answered('compare')", sent)
    _then("done('pool')", pool.choose(on_choose, [held, chosen], [say, chosen, pool, comparison], **_LIGHT))


def _drop(tab: str, limits: Limits, title: str, accept: str, many: int = 0) -> gr.HTML:
    """Make a place that takes files; its value is what the page uploaded, as JSON."""
    kind = "video" if tab == "video" else "photo"
    most, words = (
        (limits.video_bytes, limits.video_words)
        if kind == "video"
        else (limits.photo_bytes, limits.photo_words)
    )
    options = json.dumps({"kind": kind, "tab": tab, "most": most, "many": many})
    filled = markup.render(
        "drop.html", id=f"drop-{tab}", accept=accept, many=bool(many), title=title, words=words
    )
    sending = "(d) => { props.value = JSON.stringify(d); trigger('upload'); }"
    return gr.HTML(
        None,
        html_template=filled,  # without the value: what is sent must not draw the place anew
        js_on_load=f"fp.upload(element, {sending}, {options})",
        elem_id=f"place-{tab}",
        **_HTML,
    )


def _script(what: str, event: str, name: str) -> str:
    """Return the script that binds controls to an event, one question at a time: see `gate` in page.js."""
    return f"fp.{what}(element, fp.gate('{name}', (d) => trigger('{event}', d)), watch)"


def _then(call: str, event: Any) -> None:
    """Let the page's script know when an event is answered."""
    event.then(None, js=f"() => fp.{call}", **_PRIVATE)


def _answering(output: Callable[[Any, Any, Any], str]) -> Callable[..., str]:
    def on_ask(answer: Any, number: int, event: gr.EventData) -> str:
        try:
            return output(answer, number, _event_data(event))
        except Exception as error:
            return handlers.refusal(error)

    return on_ask


def _progress(place: gr.HTML) -> dict[str, Any]:
    return {"show_progress": "full", "show_progress_on": place}


def _queued(place: gr.HTML) -> dict[str, Any]:
    """One at a time: everybody shares two cores, and a queue tells its place in it."""
    return {**_progress(place), "concurrency_id": "measure", "concurrency_limit": 1}


def _event_data(event: gr.EventData) -> dict[str, Any]:
    return event._data if isinstance(event._data, dict) else {}
