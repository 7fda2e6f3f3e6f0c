"""Make faces.csv, the input of the golden values: simulated AUs of 60 people and emotions drawn from a logit.

Run as `python tests/goldens/make_faces.py`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

AUS = ("AU04_r", "AU06_r", "AU12_r", "AU15_r", "AU25_r")
EMOTIONS = ("angry", "happy", "neutral", "sad")
ROWS, PEOPLE = 480, 60


def main() -> None:
    rng = np.random.default_rng(2024)
    person = np.sort(rng.integers(PEOPLE, size=ROWS))
    own = rng.normal(0, 0.5, (PEOPLE, len(AUS)))
    X = np.clip(rng.gamma(0.9, 1.0, (ROWS, len(AUS))) + own[person], 0, 5).round(2)
    slopes = rng.normal(0, 0.6, (len(AUS), len(EMOTIONS)))
    habit = rng.normal(0, 0.6, (PEOPLE, len(EMOTIONS)))
    scores = X @ slopes + habit[person] + rng.gumbel(size=(ROWS, len(EMOTIONS)))
    frame = pd.DataFrame(X, columns=list(AUS))
    frame.insert(0, "person", [f"P{number:02d}" for number in person])
    frame["emotion"] = np.array(EMOTIONS)[scores.argmax(axis=1)]
    frame.to_csv(Path(__file__).with_name("faces.csv"), index=False)


if __name__ == "__main__":
    main()
