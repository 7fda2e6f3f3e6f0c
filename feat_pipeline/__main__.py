"""``python -m feat_pipeline``: the program ``feat-pipeline`` by the name of its package."""

import sys

from feat_pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
