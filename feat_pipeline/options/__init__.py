"""The options of every run: each declared once, for command line, Python and run.json."""
