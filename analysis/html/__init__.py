"""Bars, reasons and pictures as HTML: what report, notebook and page share."""
