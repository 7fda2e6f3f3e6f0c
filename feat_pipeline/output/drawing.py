"""What the pictures of a run show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feat_pipeline.declared import Options, option
from feat_pipeline.errors import UsageError
from feat_pipeline.sources.frame import PathLike

if TYPE_CHECKING:
    import numpy as np

    from feat_pipeline.models.protocol import EmotionModel


@dataclass(frozen=True, kw_only=True)
class Drawing(Options):
    """What the pictures of a run show.

    Raises
    ------
    UsageError
        Options that contradict each other.
    """

    annotate: bool = option(
        False, "write copies with boxes, emotions and reasons: photos as JPEG, videos as MP4"
    )
    emoji: bool = option(
        False, "write copies whose faces are covered by emoji drawn from their AUs", group="pictures"
    )
    emoji_set: PathLike | None = option(
        None,
        "your own emoji: a PNG for each emotion, such as happy.png",
        metavar="DIR",
        group="pictures",
    )
    hide: str | None = option(
        None,
        "cover the faces on every picture that is written; faces that are not found stay visible",
        choices=("blur", "pixelate", "emoji"),
        group="pictures",
    )
    crops: bool = option(
        False,
        "write each face of a photo to crops/, and contact sheets with number, emotion and probability",
        group="pictures",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.emoji and self.hide not in (None, "emoji"):
            raise UsageError(
                f"emoji and hide {self.hide}: a face is covered in one way; leave --emoji or --hide away"
            )
        if self.emoji_set is not None and self.cover != "emoji":
            raise UsageError(
                "emoji_set: its pictures are laid on by --emoji or --hide emoji; add one of them"
            )

    @property
    def cover(self) -> str | None:
        """How faces are covered on copies, if at all."""
        return "emoji" if self.emoji else self.hide

    @property
    def copies(self) -> bool:
        """Whether copies of photos and videos are written."""
        return self.annotate or self.cover is not None

    def read_emoji(self, models: Mapping[str, EmotionModel]) -> dict[str, np.ndarray] | None:
        """Read the user's emoji for the emotions of the first model, whose answers choose among them.

        Raises
        ------
        InputError
            One is missing or damaged.
        """
        if self.emoji_set is None:
            return None
        from feat_pipeline.render import read_emoji_set

        first = next(iter(models.values()))
        return read_emoji_set(self.emoji_set, map(str, first.classes_))
