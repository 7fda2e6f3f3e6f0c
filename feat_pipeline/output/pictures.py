"""The pictures of a run's photos: copies that are drawn on, every face as a file, contact sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from feat_pipeline.faces.crops import CROP_PX, FaceCrops
from feat_pipeline.output.drawing import Drawing
from feat_pipeline.output.folder import OutputFolder, slug
from feat_pipeline.predict import FacePrediction, Predicted
from feat_pipeline.render.encode import jpeg, png

FOLDERS = ("annotated", "crops", "sheets")


class PicturesWriter:
    """Writes the pictures of photos into a folder of results.

    Parameters
    ----------
    folder : OutputFolder
    models : sequence of str
        Several answer side by side.
    drawing : Drawing
    emoji_set : mapping of str to ndarray, optional
        What `Drawing.read_emoji` read.
    """

    def __init__(
        self,
        folder: OutputFolder,
        models: Sequence[str],
        drawing: Drawing,
        emoji_set: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._folder, self._models, self._drawing, self._emoji_set = folder, models, drawing, emoji_set
        self._page: list[tuple[int, FacePrediction]] = []
        self._pages = 0

    def add(self, item: Predicted, copy: int, first: int) -> tuple[str | None, list[np.ndarray]]:
        """Write the pictures of one photo.

        Parameters
        ----------
        item : Predicted
        copy : int
            Number of the photo among those that have faces.
        first : int
            Number of its first face among all faces.

        Returns
        -------
        annotated : str or None
            Name of the copy of the photo.
        crops : list of ndarray of uint8, shape (160, 160, 3)
            Its faces as pictures may show them.
        """
        frame = item.measured.frame
        stem = f"{copy:06d}_{slug(frame.path)}"
        annotated = None
        if self._drawing.copies:
            annotated = f"annotated/{stem}.jpg"
            self._folder.write(annotated, jpeg(self._drawn(frame.rgb, item.faces)))
        crops = self.shown(frame.rgb, item.faces)
        if self._drawing.crops:
            for number, (face, crop) in enumerate(zip(item.faces, crops, strict=True), start=first):
                self._folder.write(f"crops/{stem}_{face.face}.png", png(crop))
                self._add_to_sheet(number, replace(face, crop_rgb=crop))
        return annotated, crops

    def shown(self, frame_rgb: np.ndarray, faces: Sequence[FacePrediction]) -> list[np.ndarray]:
        """Return the crops of faces, covered where they are to be hidden.

        Parameters
        ----------
        frame_rgb : ndarray of uint8, shape (height, width, 3)
        faces : sequence of FacePrediction
            All of this picture: a crop shows neighbours too.

        Returns
        -------
        list of ndarray of uint8, shape (160, 160, 3)
        """
        if self._drawing.hide is None:
            return [face.crop_rgb for face in faces]
        from feat_pipeline.render import hide_faces

        hidden = hide_faces(frame_rgb, faces, self._drawing.hide, emoji_set=self._emoji_set)
        return list(FaceCrops([hidden] * len(faces), [face.box_xyxy for face in faces]).around(CROP_PX))

    def finish(self) -> None:
        """Write the last contact sheet."""
        if not self._page:
            return
        from feat_pipeline.render import contact_sheet

        numbers, faces = zip(*self._page, strict=True)
        page = contact_sheet(faces, numbers=numbers, models=self._models)
        self._pages += 1
        self._folder.write(f"sheets/{self._pages:06d}.jpg", jpeg(page))
        self._page.clear()

    def _add_to_sheet(self, number: int, face: FacePrediction) -> None:
        from feat_pipeline.render import FACES_A_PAGE

        self._page.append((number, face))
        if len(self._page) == FACES_A_PAGE:
            self.finish()

    def _drawn(self, frame_rgb: np.ndarray, faces: Sequence[FacePrediction]) -> np.ndarray:
        from feat_pipeline.render import annotate, hide_faces

        cover = self._drawing.cover
        if self._drawing.annotate:
            return annotate(frame_rgb, faces, models=self._models, hide=cover, emoji_set=self._emoji_set)
        assert cover is not None  # else no copy is asked for
        return hide_faces(frame_rgb, faces, cover, emoji_set=self._emoji_set)
