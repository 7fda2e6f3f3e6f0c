import numpy as np
import pandas as pd
import pytest

from analysis.autable import AUTable
from analysis.logit import MultinomialLogit

AUS = ["AU01_r", "AU04_r", "AU06_r", "AU12_r", "AU25_r"]
EMOTIONS = ["happy", "neutral", "sad", "surprise"]


def simulated(
    rows: int, columns: list[str], classes: list[str], seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Faces whose AUs decide their emotion through a known logit."""
    rng = np.random.default_rng(seed)
    X = np.clip(rng.gamma(0.8, 1.1, (rows, len(columns))), 0, 5)
    scores = X @ rng.normal(0, 0.7, (len(columns), len(classes))) + rng.gumbel(size=(rows, len(classes)))
    return pd.DataFrame(X, columns=columns), np.array(classes)[scores.argmax(axis=1)]


@pytest.fixture(scope="session")
def faces() -> tuple[pd.DataFrame, np.ndarray]:
    return simulated(307, AUS, EMOTIONS, seed=11)


@pytest.fixture(scope="session", params=["linear", "hinges"])
def model(request, faces) -> MultinomialLogit:
    return MultinomialLogit(terms=request.param).fit(*faces)


@pytest.fixture
def table(faces) -> AUTable:
    frame = faces[0].assign(input=[f"photos/{i:03d}.jpg" for i in range(len(faces[0]))], frame=0, face=0)
    return AUTable(frame, backend="embedded", backend_version="1", scale="r")
