import math

import pytest

from feat_pipeline.training.recipe import Recipe


def test_the_rate_rises_by_a_line_and_falls_by_a_cosine():
    r = Recipe(rate=0.4, warmup=0.25)
    rates = [r.rate_at(step, 8) for step in range(8)]
    expected = [0.2, 0.4, *(0.2 * (1 + math.cos(math.pi * k / 6)) for k in range(6))]
    assert rates == pytest.approx(expected)
