"""Everything that is drawn on pictures: labels, bars of Action Units, emoji, covers, contact sheets."""

from feat_pipeline.render.contact import FACES_A_PAGE, contact_sheet
from feat_pipeline.render.covers import HIDINGS, hide_faces
from feat_pipeline.render.emoji import draw_emoji
from feat_pipeline.render.emojiset import read_emoji_set
from feat_pipeline.render.frames import annotate
from feat_pipeline.render.labels import label_lines
from feat_pipeline.render.panel import draw_panel

__all__ = [
    "FACES_A_PAGE",
    "HIDINGS",
    "annotate",
    "contact_sheet",
    "draw_emoji",
    "draw_panel",
    "hide_faces",
    "label_lines",
    "read_emoji_set",
]
