"""Results to one self-contained HTML file: templates and style stand beside the code."""

from analysis.report.build import build_report

__all__ = ["build_report"]
