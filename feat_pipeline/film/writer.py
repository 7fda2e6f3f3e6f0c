"""Pictures with their times become an H.264 film in MP4, perhaps with the sound of the video they are from.

The film appears whole when it is closed: until then it is a hidden file, which a run that is killed leaves
behind without a film that could not be played.
"""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from analysis.files import atomic_path
from feat_pipeline.errors import OutputError, UnavailableError
from feat_pipeline.film.sound import Sound
from feat_pipeline.sources.frame import PathLike, input_name

UNIT = Fraction(1, 90_000)
"""Of time in the film; the times of 24, 25, 30, 30000/1001 and 60 frames a second are whole numbers of it."""
USUAL_RATE = 25.0
"""Frames a second where the film's are not known."""

_QUALITY = {"preset": "veryfast", "crf": "20"}
_KEY_EVERY_S = 2.0  # so that a player can jump
_BT709 = 1  # matrix, primaries and transfer of ITU-T H.273
_LIMITED = 1


class FilmWriter:
    """Writes one film; a context manager.

    Leaving the block keeps what was written until then, whatever ended it but an error of writing.

    Parameters
    ----------
    path : path
        An ``.mp4`` file; it is replaced where it exists.
    rate : float
        Typical frames a second, which the encoder plans by; times may vary. 0 where it is not known.
    sound_of : path, optional
        Video whose sound is taken over; it is asked for from the first frame's `time_s` on.
    whole_sound : bool
        Whether sound goes on after the last frame, where there is more.

    Attributes
    ----------
    frames : int
        Frames written.
    done : bool
        Whether the film is in its place.
    notes : list of str
        What a viewer has to know: a size that had to change, sound that could not be kept.
    """

    def __init__(
        self, path: PathLike, *, rate: float, sound_of: PathLike | None = None, whole_sound: bool = False
    ) -> None:
        self.path = Path(path)
        self.frames = 0
        self.done = False
        self.notes: list[str] = []
        self._rate = rate if 0 < rate < math.inf else USUAL_RATE
        self._sound_of, self._whole_sound = sound_of, whole_sound
        self._stack = contextlib.ExitStack()
        self._file: Any = None
        self._stream: Any = None
        self._sound: Sound | None = None
        self._first_s, self._last, self._step = 0.0, -1, 0
        self._size = (0, 0)  # width, height of the pictures
        self._failed = False

    def __enter__(self) -> FilmWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, picture_rgb: np.ndarray, time_s: float) -> None:
        """Add the next picture.

        Parameters
        ----------
        picture_rgb : ndarray of uint8, shape (height, width, 3)
            RGB. The first one gives the film its size; others are fitted into it.
        time_s : float
            Not before that of the picture before. The film begins with its first picture.

        Raises
        ------
        OutputError
            The film cannot be written; nothing of it is kept.
        UnavailableError
            The FFmpeg that PyAV brings cannot encode H.264.
        """
        import av

        if self._failed:  # that was raised already
            return
        try:
            if self._file is None:
                self._open(picture_rgb, time_s)
            self._encode(self._fitted(picture_rgb), time_s)
        except (av.FFmpegError, OSError) as error:
            self._fail(error)

    def close(self) -> None:
        """Finish the film and put it in its place; without a frame there is none.

        Raises
        ------
        OutputError
            As `add`.
        """
        import av

        if self._file is None or self._failed:
            return
        try:
            self._finish()
        except (av.FFmpegError, OSError) as error:
            self._fail(error)
        except BaseException as error:  # interrupted for a second time: no film rather than half a one
            self._discard(error)
            raise

    def _open(self, picture_rgb: np.ndarray, time_s: float) -> None:
        import av

        if "libx264" not in av.codec.codecs_available:
            raise UnavailableError(
                "films need the encoder libx264, which this PyAV lacks; install it from the package index: "
                "pip install --force-reinstall --only-binary=av av"
            )
        height, width = picture_rgb.shape[:2]
        self._size, self._first_s = (width, height), time_s
        # `atomic_path` is left by an error where the film shall not be kept.
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        self._file = av.open(str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"})
        options = _QUALITY | {"g": str(max(1, round(_KEY_EVERY_S * self._rate)))}
        rate = Fraction(self._rate).limit_denominator(1001)
        self._stream = self._file.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = UNIT
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if width % 2 or height % 2:
            self.notes.append(
                f"{width} x {height} px became {self._stream.width} x {self._stream.height}, as H.264 needs "
                f"even sides: the last column or row is there twice"
            )
        if self._sound_of is not None:
            self._sound = Sound(self._sound_of, self._file, begin_s=time_s)
            self._stack.callback(self._sound.close)

    def _fitted(self, picture_rgb: np.ndarray) -> np.ndarray:
        width, height = self._size
        if picture_rgb.shape != (height, width, 3):  # the video changed its size on the way
            from PIL import Image, ImageOps

            picture_rgb = np.asarray(ImageOps.pad(Image.fromarray(picture_rgb), (width, height)))
        if width % 2 or height % 2:
            picture_rgb = np.pad(picture_rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return np.ascontiguousarray(picture_rgb)

    def _encode(self, picture_rgb: np.ndarray, time_s: float) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(picture_rgb, format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace=av.video.reformatter.Colorspace.ITU709, dst_color_range=_LIMITED
        )
        stamp = max(self._last + 1, round((time_s - self._first_s) / float(UNIT)))
        self._step, self._last = stamp - self._last if self._last >= 0 else 0, stamp
        frame.pts, frame.time_base = stamp, UNIT
        self._file.mux(self._stream.encode(frame))
        self.frames += 1
        if self._sound is not None:
            self._sound.copy_until(time_s)

    def _finish(self) -> None:
        """Empty the encoder, add the rest of the sound, and let the file take its place."""
        self._file.mux(self._stream.encode(None))
        if self._sound is not None:
            step_s = self._step * float(UNIT) or 1 / self._rate
            end_s = self._first_s + self._last * float(UNIT) + step_s
            self._sound.copy_until(math.inf if self._whole_sound else end_s)
            self._sound.finish()
            self.notes += self._sound.notes
        file, self._file = self._file, None
        file.close()
        self._stack.close()
        self.done = True

    def _fail(self, error: Exception) -> None:
        self._discard(error)
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise OutputError(
            f"{input_name(self.path)}: the film cannot be written ({reason}); free space on the disk, or "
            f"name another folder"
        ) from None

    def _discard(self, error: BaseException) -> None:
        self._failed = True
        with contextlib.suppress(Exception):
            if self._file is not None:
                self._file.close()
        self._file = None
        self._stack.__exit__(type(error), error, error.__traceback__)
