"""One frame of a film or a camera, with what is to be seen on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from feat_pipeline.film.steady import MainFace

if TYPE_CHECKING:
    from feat_pipeline.film.cover import Covered


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
    """

    def __init__(
        self,
        *,
        annotate: bool = True,
        hide: str | None = None,
        emoji_set: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.annotates = annotate
        self.hides = hide
        self._emoji_set = emoji_set
        self._main = MainFace()

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
        from feat_pipeline.render import annotate, draw_panel, hide_faces
        from feat_pipeline.render.panel import SMALLEST_HEIGHT

        picture = covered.frame.rgb
        if self.hides and not covered.looked:
            picture = _unrecognisable(picture)
        elif self.hides:
            hidden = [*covered.faces, *covered.lost.values()]
            picture = hide_faces(picture, hidden, self.hides, emoji_set=self._emoji_set)
        if self.annotates:
            picture = annotate(picture, covered.faces)
            main = self._main.update(covered.frame.time_s, covered.faces)
            if len(picture) >= SMALLEST_HEIGHT:
                picture = np.hstack([picture, draw_panel(main, height=len(picture))])
        return picture


def _unrecognisable(picture_rgb: np.ndarray) -> np.ndarray:
    """Return a picture in blocks: nobody knows where on it faces are."""
    from PIL import Image

    height, width = picture_rgb.shape[:2]
    small = Image.fromarray(picture_rgb).resize(
        (16, max(1, round(16 * height / width))), Image.Resampling.BOX
    )
    return np.asarray(small.resize((width, height), Image.Resampling.NEAREST))
