"""Where a network looks: pixel attributions, summed over the regions of the Action Units (captum, torch)."""

from feat_pipeline.saliency.attribution import BASELINES, METHODS, Attribution, attribute
from feat_pipeline.saliency.correlation import (
    RegionCorrelation,
    logit_regions,
    randomisation_check,
    region_correlation,
)
from feat_pipeline.saliency.regions import PIXEL_REGIONS, by_region, landmarks_seen, region_masks

__all__ = [
    "BASELINES",
    "METHODS",
    "PIXEL_REGIONS",
    "Attribution",
    "RegionCorrelation",
    "attribute",
    "by_region",
    "landmarks_seen",
    "logit_regions",
    "randomisation_check",
    "region_correlation",
    "region_masks",
]
