"""Results to figures: pure functions, one theme, colours that colour-blind readers can tell apart.

Nothing here estimates anything. Every function takes a result with its facts and tables, and returns a
fresh `matplotlib.figure.Figure` made without pyplot, so that no global state is touched and nothing has to be
closed.
"""

from analysis.plots.backends import agreement_map
from analysis.plots.comparison import per_class_recall, score_intervals
from analysis.plots.confusion_matrix import confusion
from analysis.plots.counterfactual import counterfactual
from analysis.plots.diagnostics import correlation_heatmap, diagnostics_panel
from analysis.plots.disagreement import disagreement_gallery
from analysis.plots.explanation import contrast, waterfall
from analysis.plots.faces import au_bars, au_profile, probability_bars
from analysis.plots.inference import forest, marginal_effects, odds_ratios
from analysis.plots.model import coefficient_heatmap
from analysis.plots.probability import calibration, roc
from analysis.plots.saliency import agreement, saliency
from analysis.plots.series import series
from analysis.plots.surrogate import fidelity, stability

__all__ = [
    "agreement",
    "agreement_map",
    "au_bars",
    "au_profile",
    "calibration",
    "coefficient_heatmap",
    "confusion",
    "contrast",
    "correlation_heatmap",
    "counterfactual",
    "diagnostics_panel",
    "disagreement_gallery",
    "fidelity",
    "forest",
    "marginal_effects",
    "odds_ratios",
    "per_class_recall",
    "probability_bars",
    "roc",
    "saliency",
    "score_intervals",
    "series",
    "stability",
    "waterfall",
]
