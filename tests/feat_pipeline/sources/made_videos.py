"""Small videos with known content: frame i is grey of the level 10 + 2.9 i, so that it tells its number."""

from fractions import Fraction

import av
import numpy as np

SIZE = (96, 64)


def write_video(
    path,
    frames=60,
    *,
    codec="libx264",
    times_ms=None,
    options=None,
    pixels="yuv420p",
    rotation=None,
    mirrored=False,
    aspect=None,
    container=None,
    draw=None,
    size=SIZE,
    unit=Fraction(1, 1000),
):
    """Encode `frames` pictures at 25 a second, or at `times_ms`; `draw(i)` gives others than the greys."""
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=25, options={"g": "12"} | (options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.bit_rate = 3_000_000
        stream.codec_context.time_base = unit
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None or mirrored:
            stream.set_display_rotation(rotation or 0, hflip=mirrored)
        for i in range(frames):
            picture = grey(i, size) if draw is None else draw(i)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round((i * 40 if times_ms is None else times_ms[i]) / 1000 / unit)
            frame.time_base = unit
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def grey(i, size=SIZE):
    """The picture of frame i: its level, with a fine pattern that costs the encoder some bytes."""
    noise = np.random.default_rng(i).normal(0, 5, (size[1] // 4, size[0] // 4)).repeat(4, 0).repeat(4, 1)
    level = (10 + 2.9 * i + noise - noise.mean()).clip(0, 255)
    return np.repeat(level.round().astype(np.uint8)[:, :, None], 3, axis=2)


def number_of(rgb):
    """The number that a picture of `grey` shows."""
    return round((float(rgb.mean()) - 10) / 2.9)


def quarters(size=SIZE):
    """A picture of red, green / blue, white quarters."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    y, x = size[1] // 2, size[0] // 2
    picture[:y, :x, 0] = picture[:y, x:, 1] = picture[y:, :x, 2] = 255
    picture[y:, x:] = 255
    return picture


def packet_places(path):
    """Place and length in the file of every video packet, in file order."""
    with av.open(str(path)) as file:
        return [(p.pos, p.size) for p in file.demux(video=0) if p.size]


def write_sound(path):
    """Encode a second of silence."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
