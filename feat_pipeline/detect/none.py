"""No detector: the whole picture is one face, as in collections of face crops such as FER2013."""

from __future__ import annotations

import numpy as np

from feat_pipeline.detect import Detection, check_frame


class WholePicture:
    """Take the whole picture as the box of one face."""

    name = "none"

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        """Return one face with the box of the picture.

        Parameters
        ----------
        frame_rgb : ndarray of uint8, shape (height, width, 3)
            RGB picture.

        Returns
        -------
        list of Detection
            One, with confidence 1 and no points.

        Raises
        ------
        InputError
            The picture has another type or shape.
        """
        check_frame(frame_rgb)
        height, width = frame_rgb.shape[:2]
        return [Detection(np.array([0, 0, width, height], np.float32), 1.0)]
