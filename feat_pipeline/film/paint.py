"""One frame of a film or a camera, with what is to be seen on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.film.follow import FollowedFace, MainFace
from feat_pipeline.render.labels_keeping import KeptPlaces
from feat_pipeline.render.palette import INK, WHITE

if TYPE_CHECKING:
    from feat_pipeline.film.lost_faces import Covered


PANEL_S = 0.09
"""The strip of AU bars is drawn anew as often: it takes longer than the rest, and bars glide all the same."""


class FilmPainter:
    """Paints the frames of one film.

    Parameters
    ----------
    annotate : bool
        Whether boxes, emotions and reasons are drawn, and the main face's AU bars on a strip beside them.
    hide : {'blur', 'pixelate', 'emoji'}, optional
        Whether and how faces are hidden.
    emoji_set : mapping of str to ndarray of uint8, shape (h, w, 4), optional
        See `feat_pipeline.render.read_emoji_set`.
    models : sequence of str, optional
        Several models whose answers stand side by side; by default the first's alone.
    """

    def __init__(
        self,
        *,
        annotate: bool = True,
        hide: str | None = None,
        emoji_set: Mapping[str, np.ndarray] | None = None,
        models: Sequence[str] | None = None,
    ) -> None:
        self.annotates = annotate
        self._models = list(models) if models else None
        self.hides = hide
        self._emoji_set = emoji_set
        self._main = MainFace()
        self._places = KeptPlaces()
        self._panel: np.ndarray | None = None
        self._panel_s = -math.inf

    def paint(self, covered: Covered) -> np.ndarray:
        """Paint a frame.

        Parameters
        ----------
        covered : Covered
            The frame and its faces.

        Returns
        -------
        ndarray of uint8, shape (h, w, 3)
            RGB; of one size for frames of one size.
        """
        from feat_pipeline.render import annotate, hide_faces

        picture, faces = covered.frame.rgb, covered.faces
        if self.hides and not covered.searched:
            picture = _unrecognisable(picture)
        elif self.hides:
            seen = [] if self.annotates else faces  # these are hidden where they are annotated
            hidden = [*seen, *covered.lost.values()]
            picture = hide_faces(picture, hidden, self.hides, emoji_set=self._emoji_set)
        if not self.annotates:
            return picture
        picture = annotate(
            picture,
            faces,
            models=self._models,
            hide=self.hides,
            emoji_set=self._emoji_set,
            keep=self._places,
        )
        main = self._main.update(covered.frame.time_s, faces)
        if main is not None and len(faces) > 1:
            scale = picture.shape[1] / covered.frame.rgb.shape[1]
            picture = _with_corners(picture, _outline(main, emoji=self.hides == "emoji") * scale)
        return self._with_panel(picture, covered.frame.time_s, main)

    def _with_panel(self, picture: np.ndarray, time_s: float, main: FollowedFace | None) -> np.ndarray:
        """Put the main face's strip beside a picture; there is none beside a very low one."""
        from feat_pipeline.render import draw_panel
        from feat_pipeline.render.panel import SMALLEST_HEIGHT

        height = len(picture)
        if height < SMALLEST_HEIGHT:
            return picture
        if self._panel is None or len(self._panel) != height or time_s - self._panel_s >= PANEL_S:
            self._panel, self._panel_s = draw_panel(main, height=height), time_s
        return np.hstack([picture, self._panel])


def _outline(face: FollowedFace, *, emoji: bool) -> np.ndarray:
    """Return the box of a face, or of the emoji over it: left, top, right, bottom."""
    from feat_pipeline.render.outline import outline_of

    if not emoji:
        return np.asarray(face.box_xyxy)
    region = outline_of(face)
    (x, y), radius = region.centre, region.radius
    return np.array([x - radius, y - radius, x + radius, y + radius])


def _with_corners(picture_rgb: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
    """Mark, among several faces, the one that the strip is about."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture_rgb)
    draw = ImageDraw.Draw(image)
    stroke = max(2, round((image.width * image.height) ** 0.5 / 200))
    x0, y0, x1, y1 = box_xyxy.tolist()
    length, gap = 0.25 * min(x1 - x0, y1 - y0), 2.0 * stroke  # inside: beside a face labels lie
    for x, y, right, down in ((x0, y0, 1, 1), (x1, y0, -1, 1), (x0, y1, 1, -1), (x1, y1, -1, -1)):
        corner = (x + right * gap, y + down * gap)
        ends = [(corner[0] + right * length, corner[1]), corner, (corner[0], corner[1] + down * length)]
        draw.line(ends, fill=INK, width=stroke + 4, joint="curve")
        draw.line(ends, fill=WHITE, width=stroke, joint="curve")
    return np.asarray(image)


def _unrecognisable(picture_rgb: np.ndarray) -> np.ndarray:
    """Return a picture in blocks: nobody knows where on it faces are."""
    from PIL import Image

    height, width = picture_rgb.shape[:2]
    small = Image.fromarray(picture_rgb).resize(
        (16, max(1, round(16 * height / width))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST))
