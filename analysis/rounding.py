"""Numbers as print shows them: rounded, with a true minus, a dash where nothing is known."""

from __future__ import annotations

import numpy as np

MISSING = "–"


def p_value(p: float | None) -> str:
    """Write a p-value, never as zero: ``'< 0.001'``."""
    if p is None or unknown(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number_text(value: float | None, digits: int = 2) -> str:
    """Write a number with a true minus; large ones without decimals, what is not known as a dash."""
    if value is None or unknown(value):
        return MISSING
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1e6:
        return f"{value:.1e}".replace("e+0", "e").replace("e+", "e").replace("-", "−")
    digits = 0 if abs(value) >= 1000 else digits
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: no minus before zero


def compact(value: float | None) -> str:
    """Write a number in three digits, whatever its size: ``'3e−09'``; a dash where it is not known."""
    if value is None or unknown(value):
        return MISSING
    return "∞" if value == np.inf else f"{float(value):.3g}".replace("-", "−")


def percent(probability: float) -> str:
    """Write a probability in whole per cent, never as a false 0 or 100."""
    if probability >= 0.995:
        return "> 99 %"
    return "< 1 %" if probability < 0.005 else f"{100 * probability:.0f} %"


def with_interval(value: float | None, low: float | None, high: float | None, *, digits: int = 2) -> str:
    """Write an estimate with its interval: ``'0.52 [0.40, 0.64]'``; the number alone where there is none."""
    if unknown(low) or unknown(high):
        return number_text(value, digits)
    return f"{number_text(value, digits)} [{number_text(low, digits)}, {number_text(high, digits)}]"


def unknown(value: float | None) -> bool:
    """Tell whether a number is not there: None, as JSON has it, or NaN."""
    return value is None or bool(np.isnan(value))
