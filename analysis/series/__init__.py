"""AUs over time: each person's own neutral face taken off, smoothed across no gap, and when each AU came."""

from analysis.series.events import find_events
from analysis.series.series import AUSeries, au_series
from analysis.series.smoothing import smooth

__all__ = ["AUSeries", "au_series", "find_events", "smooth"]
