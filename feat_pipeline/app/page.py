"""The layout of the page: which part is filled by which event. Everything else lies in the other modules."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

import analysis.report
from feat_pipeline.app import handlers, markup
from feat_pipeline.app.downloads import pack
from feat_pipeline.app.limits import Limits, RefusedError, shown_name
from feat_pipeline.app.service import Studio
from feat_pipeline.app.uploads import Uploads
from feat_pipeline.app.videos import look_at_film

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


def build_page(studio: Studio, uploads: Uploads) -> gr.Blocks:
    """Lay the page out over what measures and what takes uploads in."""
    with gr.Blocks(title="feat-pipeline", analytics_enabled=False, delete_cache=(60, 60)) as page:
        gr.HTML(markup.render("intro.html"), **_HTML)
        with gr.Tabs():
            with gr.Tab("Photo"):
                _photo_tab(studio, uploads)
            with gr.Tab("Video"):
                _video_tab(studio, uploads)
            with gr.Tab("Camera"):
                _camera_tab(studio, uploads)
            with gr.Tab("Compare"):
                _compare_tab(studio, uploads)
    page.queue(max_size=studio.limits.waiting, default_concurrency_limit=4, api_open=False)
    return page


def _photo_tab(studio: Studio, uploads: Uploads) -> None:
    held, chosen = gr.State(None, time_to_live=STATE_S), gr.State(0)
    drop = _drop("photo", studio.limits, "Drop a photo here, paste it, or choose one", "image/*")
    say = gr.HTML("", **_HTML)
    with gr.Column(visible=False) as results:
        picture = gr.HTML("", js_on_load=_asks("faces", "choose", "photo-face"), **_HTML)
        face = gr.HTML("", js_on_load="fp.panel(element)", **_HTML)
        questions = gr.HTML("", js_on_load=_asks("questions", "ask", "contrast"), **_HTML)
        contrast = gr.HTML("", **_HTML)
        goal = gr.HTML("", js_on_load=_asks("questions", "ask", "goal"), **_HTML)
        change = gr.HTML("", js_on_load="fp.trials(element)", **_HTML)
        gr.HTML('<div class="questions"><h3>What if?</h3></div>', **_HTML)
        with gr.Row(elem_id="what-if"):
            with gr.Column(scale=2, min_width=300):
                sliders = gr.HTML("", js_on_load=_asks("sliders", "move", "sliders"), **_HTML)
            with gr.Column(scale=1, min_width=260):
                moved = gr.HTML("", elem_id="moved", **_HTML)
        gr.HTML('<div class="questions"><h3>Take it away</h3></div>', **_HTML)
        take = gr.HTML(
            markup.render("takeaway.html"),
            js_on_load=_asks("takeaway", "take", "parcel"),
            **_HTML,
        )
        taken = gr.HTML("", **_HTML)
    parcel = gr.HTML("", html_template="", js_on_load="watch('value', () => fp.parcel(props.value))", **_HTML)
    shown = [face, questions, contrast, goal, change, sliders, moved]

    def on_photo(value: str) -> list[Any]:
        try:
            ((name, ticket),) = handlers.tickets(value)
            with uploads.taken(ticket) as path:
                answer = studio.photo(path, name)
            filled = handlers.photo_parts(answer, 0)
        except Exception as error:
            nothing = [markup.message(handlers.sorry(error), "sorry"), gr.update(visible=False), None, 0, ""]
            return [*nothing, *[""] * len(shown)]
        found = ["", gr.update(visible=True), answer, 0, markup.picture(answer)]
        return [*found, *filled]

    def on_choose(answer: Any, event: gr.EventData) -> list[Any]:
        try:
            number = handlers.chosen_face(answer, _data(event).get("face"))
            return ["", number, *handlers.photo_parts(answer, number)]
        except Exception as error:
            return [markup.message(handlers.sorry(error), "sorry"), 0, *[gr.skip()] * len(shown)]

    def on_take(answer: Any, event: gr.EventData) -> tuple[str, Any]:
        try:
            handlers.chosen_face(answer, 0)
            found = pack(_data(event).get("what"), answer, studio.predictor)
        except Exception as error:
            return markup.message(handlers.sorry(error), "sorry"), ""
        content = base64.b64encode(found.content).decode("ascii")
        told = {"name": found.name, "kind": found.kind, "content": content, "number": time.time_ns()}
        return "", json.dumps(told)  # the number makes the same file news when it is asked for again

    everything = [say, results, held, chosen, picture, *shown]
    sent = drop.upload(on_photo, drop, everything, api_name="photo", **_measured(drop))
    sent.then(None, js="() => fp.answered('photo')", **_PRIVATE)
    picture.choose(on_choose, held, [say, chosen, *shown], **_LIGHT).then(
        None, js="() => fp.done('photo-face')", **_PRIVATE
    )
    questions.ask(_asking(handlers.contrast_part), [held, chosen], contrast, **_LIGHT).then(
        None, js="() => fp.done('contrast')", **_PRIVATE
    )
    goal.ask(_asking(handlers.change_part), [held, chosen], change, **_LIGHT).then(
        None, js="() => fp.done('goal')", **_PRIVATE
    )
    sliders.move(_asking(handlers.moved_part), [held, chosen], moved, **_LIGHT).then(
        None, js="() => fp.done('sliders')", **_PRIVATE
    )
    take.take(on_take, held, [taken, parcel], **_LIGHT).then(None, js="() => fp.done('parcel')", **_PRIVATE)


def _video_tab(studio: Studio, uploads: Uploads) -> None:
    drop = _drop("video", studio.limits, "Drop a short video here, or choose one", "video/*,image/gif")
    answer = gr.HTML("", **_HTML)

    def on_video(value: str) -> str:
        try:
            ((name, ticket),) = handlers.tickets(value)
            with uploads.taken(ticket) as path:
                return markup.film(look_at_film(studio, path, name))
        except Exception as error:
            return markup.message(handlers.sorry(error), "sorry")

    sent = drop.upload(on_video, drop, answer, api_name="video", concurrency_limit=1, **_shown(drop))
    sent.then(None, js="() => fp.answered('video')", **_PRIVATE)


def _camera_tab(studio: Studio, uploads: Uploads) -> None:
    camera = gr.HTML(markup.render("camera.html"), js_on_load=_asks("camera", "look", "camera"), **_HTML)
    answer = gr.HTML("", **_HTML)

    def on_look(event: gr.EventData) -> str:
        began = time.perf_counter()
        try:
            return handlers.live_part(studio, uploads, _data(event).get("picture"), began)
        except Exception as error:
            return markup.message(handlers.sorry(error), "sorry")

    looked = camera.look(on_look, None, answer, concurrency_limit=2, **_LIGHT)
    looked.then(None, js="() => fp.done('camera')", **_PRIVATE)


def _compare_tab(studio: Studio, uploads: Uploads) -> None:
    held, chosen = gr.State([], time_to_live=STATE_S), gr.State([0, 0])
    title = "Drop two photos here, or one with two faces"
    drop = _drop("compare", studio.limits, title, "image/*", many=COMPARED_AT_ONCE)
    say = gr.HTML("", **_HTML)
    pool = gr.HTML("", js_on_load=_asks("faces", "choose", "pool"), **_HTML)
    comparison = gr.HTML("", **_HTML)

    def on_photos(value: str, faces: list[Any]) -> list[Any]:
        answers, refusals = [], []
        try:
            for name, ticket in handlers.tickets(value, COMPARED_AT_ONCE):
                try:
                    with uploads.taken(ticket) as path:
                        answers.append(studio.photo(path, name))
                except RefusedError as error:
                    refusals.append(f"{shown_name(name)}: {error}")
            if answers:
                faces, pair = handlers.pooled(faces, answers)
                filled = handlers.compare_parts(faces, pair)
        except Exception as error:
            return [
                markup.message(handlers.sorry(error), "sorry"),
                gr.skip(),
                gr.skip(),
                gr.skip(),
                gr.skip(),
            ]
        told = "".join(markup.message(line, "sorry") for line in refusals)
        return [told, faces, pair, *filled] if answers else [told, *[gr.skip()] * 4]

    def on_choose(faces: list[Any], pair: list[Any], event: gr.EventData) -> list[Any]:
        try:
            pair = list(pair)
            pair[1 if _data(event).get("side") == 1 else 0] = _data(event).get("face")
            return ["", pair, *handlers.compare_parts(faces, pair)]
        except Exception as error:
            return [markup.message(handlers.sorry(error), "sorry"), gr.skip(), gr.skip(), gr.skip()]

    outputs = [say, held, chosen, pool, comparison]
    sent = drop.upload(on_photos, [drop, held], outputs, api_name="compare", **_measured(drop))
    sent.then(None, js="() => fp.answered('compare')", **_PRIVATE)
    pool.choose(on_choose, [held, chosen], [say, chosen, pool, comparison], **_LIGHT).then(
        None, js="() => fp.done('pool')", **_PRIVATE
    )


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


def _asks(what: str, event: str, name: str) -> str:
    """Return the script that binds controls to an event, one question at a time: see `gate` in page.js."""
    return f"fp.{what}(element, fp.gate('{name}', (d) => trigger('{event}', d)), watch)"


def _asking(part: Callable[[Any, Any, Any], str]) -> Callable[..., str]:
    def on_ask(answer: Any, number: int, event: gr.EventData) -> str:
        try:
            return part(answer, number, _data(event))
        except Exception as error:
            return markup.message(handlers.sorry(error), "sorry")

    return on_ask


def _shown(place: gr.HTML) -> dict[str, Any]:
    return {"show_progress": "full", "show_progress_on": place}


def _measured(place: gr.HTML) -> dict[str, Any]:
    """One at a time: everybody shares two cores, and a queue tells its place in it."""
    return {**_shown(place), "concurrency_id": "measure", "concurrency_limit": 1}


def _data(event: gr.EventData) -> dict[str, Any]:
    return event._data if isinstance(event._data, dict) else {}
