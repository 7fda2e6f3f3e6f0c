"""Cuts found, false cuts and wrong face ids: twenty films joined at hard cuts, ten without a cut.

The films are made from videos and from portraits that are panned slowly: clips of different people one after
the other, some of which come back, and pairs that change sides at a cut; and films with flashes, fades,
flicker, fast pans, shakes, zooms and left-out frames. Each is written as mp4 and read back, its cuts are
counted by `CutDetector` and its ids by `extract`. An id is wrong for the faces of every person but the one
that it is most often given to; a person is split by every id beyond its first within a clip.

`came_back` counts the persons of two shots whose id is that of before.

    python benchmarks/cuts.py --videos VIDEO ... --portraits FOLDER
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from feat_pipeline.faces.appearance import CutDetector, thumbnail
from feat_pipeline.film.writer import FilmWriter
from feat_pipeline.runs.extract import extract
from feat_pipeline.sources.frame import Frame
from feat_pipeline.sources.photos import read_photo
from feat_pipeline.sources.videos import read_video

RATE, SIDE = 25, 240
CLIP_FRAMES = 30
Picture = np.ndarray
People = tuple[str, ...]  # of one frame, left to right


def square(rgb: Picture) -> Picture:
    """Cut the middle square, `SIDE` px."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    middle = rgb[top : top + side, left : left + side]
    return cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def panned(portrait: Picture, seed: int) -> Iterator[Picture]:
    """Move a portrait slowly, as a calm camera does."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 3)
    for i in range(1000):
        across, down, zoom = np.sin(i / np.array([14.0, 19.0, 23.0]) + phase)
        scale = 1.1 + 0.04 * zoom
        shift = SIDE * (1 - scale) / 2 + np.array([8 * across, 6 * down])
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        yield cv2.warpAffine(square(portrait), matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


class Material:
    """Clips of known people."""

    def __init__(self, videos: list[Path], portraits: Path, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.videos = videos
        files = sorted(portraits.glob("*_0001.jpg"))  # one of each person
        self.portraits = [files[i] for i in rng.permutation(len(files))[:120]]
        self.names = [path.name for path in [*videos, *self.portraits]]

    def clip(self, name: str) -> Iterator[Picture]:
        """Give the frames of one person."""
        path = next(path for path in [*self.videos, *self.portraits] if path.name == name)
        if path in self.videos:
            return (square(item.rgb) for item in read_video(path) if isinstance(item, Frame))
        return panned(read_photo(path), self.names.index(name))


def joined(material: Material, number: int) -> tuple[list[Picture], list[People], list[int]]:
    """Make a film with cuts: frames, who is in each, and the first frame of each shot but the first."""
    rng = np.random.default_rng(100 + number)
    still = [path.name for path in material.portraits]
    own = [*rng.permutation(still)[:4]]
    if number % 4 == 3:  # two who change sides
        a, b = own[:2]
        shots: list[People] = [(a, b), (b, a), (a, b)]
    elif number % 4 == 2:  # shot and reverse shot
        shots = [(own[0],), (own[1],), (own[0],), (own[2],)]
    else:
        films = [path.name for path in material.videos]
        shots = [(films[number % len(films)],), (own[0],), (films[(number + 1) % len(films)],), (own[1],)]
    playing = {name: material.clip(name) for shot in shots for name in shot}
    frames, people, cuts = [], [], []
    for shot in shots:
        cuts.append(len(frames))
        for _ in range(CLIP_FRAMES + int(rng.integers(-5, 6))):
            frames.append(np.hstack([next(playing[name]) for name in shot]))
            people.append(shot)
    return frames, people, cuts[1:]


def _fade(i: int) -> float:
    return float(np.clip(abs(i - 45) / 15 - 0.3, 0, 1))


def _moved(rgb: Picture, across: float, down: float = 0.0, zoom: float = 1.0) -> Picture:
    middle = SIDE * (1 - zoom) / 2
    matrix = np.array([[zoom, 0, middle + across], [0, zoom, middle + down]])
    return cv2.warpAffine(rgb, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)


EFFECTS: dict[str, Callable[[Picture, int], Picture]] = {
    "white flash": lambda rgb, i: np.full_like(rgb, 255) if i in (30, 31, 60) else rgb,
    "bright flash": lambda rgb, i: (
        cv2.convertScaleAbs(rgb, alpha=1.7, beta=60) if i % 30 in (14, 15) else rgb
    ),
    "fade to black": lambda rgb, i: cv2.convertScaleAbs(rgb, alpha=_fade(i)),
    "fade to white": lambda rgb, i: cv2.convertScaleAbs(rgb, alpha=_fade(i), beta=255 * (1 - _fade(i))),
    "flicker": lambda rgb, i: cv2.convertScaleAbs(rgb, alpha=0.6 if i % 2 else 1.2),
    "fast pan": lambda rgb, i: _moved(rgb, 55 * np.sin(i / 3)),
    "shake": lambda rgb, i: _moved(rgb, 14 * np.sin(i * 2.1), 12 * np.cos(i * 1.7)),
    "fast zoom": lambda rgb, i: _moved(rgb, 0, 0, 1.3 + 0.3 * np.sin(i / 4)),
    "left-out frames": lambda rgb, i: rgb,
    "defocus": lambda rgb, i: cv2.GaussianBlur(rgb, (0, 0), 0.1 + 5 * (1 + np.sin(i / 5))),
}


def uncut(material: Material, effect: str) -> tuple[list[Picture], list[People], list[int]]:
    """Make a film of one person without a cut."""
    place = list(EFFECTS).index(effect)
    videos = [path.name for path in material.videos]
    name = videos[place % len(videos)]
    clip = material.clip(name)
    if effect == "left-out frames":
        clip = islice(clip, 0, None, 5)
    frames = [EFFECTS[effect](rgb, i) for i, rgb in enumerate(islice(clip, 90))]
    return frames, [(name,)] * len(frames), []


def scored(frames: list[Picture], people: list[People], cuts: list[int], path: Path) -> dict[str, int]:
    """Write a film, read it back, and count."""
    with FilmWriter(path, rate=RATE) as writer:
        for i, rgb in enumerate(frames):
            writer.add(rgb, i / RATE)
    detector = CutDetector()
    read = [item for item in read_video(path) if isinstance(item, Frame)]
    found = {item.index for item in read if detector.update(thumbnail(item.rgb))}
    table = extract(path, backend="embedded", detector="fast").table.frame
    columns = ((table["x"] + table["w"] / 2) // SIDE).astype(int).to_numpy()
    wide = table["w"].to_numpy() > SIDE / 6  # others are in the background
    shots = np.searchsorted(cuts, table["frame"].to_numpy(), side="right")
    known = pd.DataFrame(
        {
            "id": table["face_id"],
            "person": [
                people[frame][min(place, len(people[frame]) - 1)]
                for frame, place in zip(table["frame"], columns, strict=True)
            ],
            "shot": shots,
        }
    )[wide]
    counts = pd.crosstab(known["id"], known["person"]).to_numpy()
    ids = known.groupby(["shot", "person"])["id"].nunique()
    return {
        "frames": len(read),
        "cuts": len(cuts),
        "cuts_found": len(found & set(cuts)),
        "false_cuts": len(found - set(cuts)),
        "faces": len(known),
        "ids_wrong": int(counts.sum() - counts.max(axis=1).sum()),
        "splits": int((ids - 1).sum()),
        "came_back": _came_back(known),
    }


def _came_back(known: pd.DataFrame) -> int:
    """Count how often a person of two shots has the id of before."""
    first = known.groupby(["person", "shot"], sort=True)["id"].agg(lambda ids: ids.mode()[0])
    return sum(
        int(len(ids) > 1 and a == b)
        for _, ids in first.groupby(level="person")
        for a, b in pairwise(ids.tolist())
    )


def main() -> None:
    """Print one line a film and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--videos", type=Path, nargs="+", required=True, help="each of one person, without cuts"
    )
    parser.add_argument("--portraits", type=Path, required=True, help="folder with NAME_0001.jpg")
    parser.add_argument("--films", type=int, default=20, help="with cuts (default: %(default)s)")
    chosen = parser.parse_args()
    material = Material(chosen.videos, chosen.portraits, seed=1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(chosen.films):
            film = scored(*joined(material, number), Path(folder) / f"cut{number}.mp4")
            rows.append({"film": f"cut {number}"} | film)
            print(rows[-1], flush=True)
        for effect in EFFECTS:
            film = scored(*uncut(material, effect), Path(folder) / f"{effect.replace(' ', '_')}.mp4")
            rows.append({"film": effect} | film)
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(kind=["with cuts"] * chosen.films + ["without"] * len(EFFECTS))
    print(table.drop(columns="film").groupby("kind").sum().to_string())


if __name__ == "__main__":
    main()
