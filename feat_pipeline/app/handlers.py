"""The outputs of the page that one answer fills, as HTML; what gradio hands over is checked here."""

from __future__ import annotations

import base64
import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from analysis.facs import in_order
from feat_pipeline.app import markup, questions
from feat_pipeline.app.downloads import make_download
from feat_pipeline.app.limits import RefusedError
from feat_pipeline.app.service import FAILED, Face, FaceService, PhotoAnswer
from feat_pipeline.app.uploads import Uploads
from feat_pipeline.app.what_if import changed, contrasted, explanation_of, moved
from feat_pipeline.predict import FacePrediction, Predictor
from feat_pipeline.render import annotate
from feat_pipeline.render.encode import jpeg

POOL = 12
"""Faces that can be compared at a time."""


class PhotoOutputs(NamedTuple):
    """The outputs that show one face of a photo, in the order of the page; each is HTML."""

    face: str
    questions: str
    contrast: str
    goal: str
    change: str
    sliders: str
    moved: str


def photo_outputs(answer: PhotoAnswer, chosen: int) -> PhotoOutputs:
    """Fill every output that shows the chosen face."""
    face = answer.faces[chosen]
    prediction = face.prediction
    panel = markup.face_panel(face, chosen, len(answer.faces))
    try:
        explanation = explanation_of(prediction)
    except RefusedError:
        return PhotoOutputs(panel, *[""] * 6)
    goal = explanation.rival
    emotions = [emotion for emotion in in_order(explanation.probabilities) if emotion != explanation.target]
    return PhotoOutputs(
        panel,
        questions.questions(prediction),
        questions.contrast(contrasted(prediction, explanation.target, explanation.rival)),
        markup.render("goal.html", emotions=emotions, goal=goal),
        questions.change(changed(prediction, goal)),
        questions.sliders(prediction),
        questions.moved_answer(moved(prediction, {})),
    )


def held_photo(answer: PhotoAnswer | None) -> PhotoAnswer:
    """Return the photo that a person asks about.

    Raises
    ------
    RefusedError
        It is not held any more.
    """
    if answer is None:
        raise RefusedError("This photo is no longer here; send it again.")
    return answer


def chosen_face(answer: PhotoAnswer | None, number: object) -> int:
    """Return the number of a face of a photo.

    Raises
    ------
    RefusedError
        The photo is not held any more, or has no such face.
    """
    if not isinstance(number, int) or not 0 <= number < len(held_photo(answer).faces):
        raise RefusedError("There is no such face in this photo.")
    return number


def contrast_output(answer: PhotoAnswer | None, number: object, asked: object) -> str:
    """Answer 'why this rather than that'; `asked` holds `target` and `rival`."""
    face = _face(answer, number)
    given = _mapping(asked)
    return questions.contrast(contrasted(face, given.get("target"), given.get("rival")))


def change_output(answer: PhotoAnswer | None, number: object, asked: object) -> str:
    """Answer 'what would change it'; `asked` holds `goal`."""
    return questions.change(changed(_face(answer, number), _mapping(asked).get("goal")))


def moved_output(answer: PhotoAnswer | None, number: object, asked: object) -> str:
    """Answer for moved AUs; `asked` holds `changes`, AU column to value."""
    return questions.moved_answer(moved(_face(answer, number), _mapping(_mapping(asked).get("changes"))))


def download_output(answer: PhotoAnswer | None, what: object, predictor: Predictor) -> str:
    """Write a file to take away as the JSON that the page's script saves it from."""
    found = make_download(what, held_photo(answer), predictor)
    content = base64.b64encode(found.content).decode("ascii")
    # The number makes the same file news when it is asked for again.
    return json.dumps({"name": found.name, "kind": found.kind, "content": content, "number": time.time_ns()})


def tickets(value: object, most: int = 1) -> list[tuple[str, str]]:
    """Read what the page says it uploaded: a JSON list of {name, ticket}, at most so many.

    Raises
    ------
    RefusedError
        It is something else.
    """
    try:
        found = json.loads(value) if isinstance(value, str) else value
        files = [(str(file["name"]), str(file["ticket"])) for file in found]  # type: ignore[union-attr]
    except (ValueError, TypeError, KeyError, RecursionError):
        files = []
    if not files:
        raise RefusedError("No file arrived; send it again.")
    return files[:most]


def pooled(
    held: Sequence[tuple[str, Face]], answers: Sequence[PhotoAnswer]
) -> tuple[list[tuple[str, Face]], list[int]]:
    """Add the faces of photos to those that can be compared, and choose two.

    Of one new photo with several faces the first two are chosen; of several photos the first face each; a
    single new face stands beside the first one there is. The oldest faces beyond `POOL` make room.
    """
    fresh = [(_called(answer, n), face) for answer in answers for n, face in enumerate(answer.faces)]
    fresh = fresh[:POOL]
    kept = list(held)[max(0, len(held) + len(fresh) - POOL) :]
    start = len(kept)
    firsts, seen = [], start
    for answer in answers:
        firsts.append(seen)
        seen += len(answer.faces)
    firsts = [n for n in firsts if n < start + len(fresh)]
    if len(firsts) > 1:
        chosen = firsts[:2]
    elif len(fresh) > 1:
        chosen = [start, start + 1]
    else:
        chosen = [0, start] if start else [start, start]
    return kept + fresh, chosen


def compare_outputs(held: Sequence[tuple[str, Face]], chosen: Sequence[int]) -> tuple[str, str]:
    """Fill the choice of faces, and the comparison of the two that are chosen."""
    if not held:
        raise RefusedError("Send two photos, or one with two faces.")
    if any(not isinstance(n, int) or not 0 <= n < len(held) for n in chosen):
        raise RefusedError("There is no such face here.")
    choice = markup.pool(held, chosen)
    if len(held) == 1:
        return choice, markup.message("One face so far; send another photo to compare it with.")
    if chosen[0] == chosen[1]:
        return choice, markup.message("A and B are one face; choose two different ones.")
    return choice, markup.comparison([held[n] for n in chosen])


def live_output(service: FaceService, uploads: Uploads, picture: object, began: float) -> str:
    """Answer for one picture of a camera, a data URI of a JPEG; `began` is by `time.perf_counter`."""
    kind, _, text = str(picture).partition(",")
    if kind != "data:image/jpeg;base64":
        raise RefusedError("The camera gave no picture; stop it and start it again.")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise RefusedError("The camera gave no picture; stop it and start it again.") from None
    with uploads.room(len(data), service.limits.photo_bytes) as path:
        path.write_bytes(data)
    with uploads.taken(path.name) as path:
        rgb, faces = service.camera_picture(path)
    return markup.live(
        faces, markup.data_uri(jpeg(annotate(rgb, faces), 80)), (time.perf_counter() - began) * 1e3
    )


def error_text(error: BaseException) -> str:
    """Tell a sender why there is no answer; what nobody foresaw is told on stderr only."""
    if isinstance(error, RefusedError):
        return str(error)
    print("feat-pipeline: a request broke off:", file=sys.stderr)
    traceback.print_exception(error, file=sys.stderr)
    return FAILED


def refusal(error: BaseException) -> str:
    """Lay out why there is no answer."""
    return markup.message(error_text(error), "sorry")


def _face(answer: PhotoAnswer | None, number: object) -> FacePrediction:
    return held_photo(answer).faces[chosen_face(answer, number)].prediction


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _called(answer: PhotoAnswer, number: int) -> str:
    count = len(answer.faces)
    return answer.name if count == 1 else f"{answer.name}, face {number + 1} of {count}"
