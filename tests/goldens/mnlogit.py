"""Golden values of statsmodels' MNLogit: coefficients with three kinds of errors, and marginal effects.

Run as `python tests/goldens/mnlogit.py`, after make_faces.py.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm

HERE = Path(__file__).parent
KINDS = {"model": {}, "robust": {"cov_type": "HC0"}, "cluster": {"cov_type": "cluster"}}


def main() -> None:
    faces = pd.read_csv(HERE / "faces.csv")
    aus = [name for name in faces if name.startswith("AU")]
    emotions = ["neutral", *sorted(set(faces["emotion"]) - {"neutral"})]  # the first is the reference
    codes = np.array([emotions.index(name) for name in faces["emotion"]])
    model = sm.MNLogit(codes, sm.add_constant(faces[aus].to_numpy(), has_constant="add"))
    people = np.unique(faces["person"], return_inverse=True)[1]
    table, effects, fitted = None, None, None
    for kind, options in KINDS.items():
        if kind == "cluster":
            options = options | {"cov_kwds": {"groups": people}}
        fitted = model.fit(method="newton", tol=1e-13, disp=0, **options)
        if table is None:
            names = ["intercept", *aus]
            table = pd.DataFrame(
                {
                    "emotion": np.repeat(emotions[1:], len(names)),
                    "term": np.tile(names, len(emotions) - 1),
                    "coef": np.asarray(fitted.params).T.ravel(),
                }
            )
            margins = fitted.get_margeff()
            effects = pd.DataFrame(
                {
                    "emotion": np.tile(emotions, len(aus)),
                    "au": np.repeat(aus, len(emotions)),
                    "effect": margins.margeff.ravel(),
                }
            )
        table[f"se_{kind}"] = np.asarray(fitted.bse).T.ravel()
        effects[f"se_{kind}"] = fitted.get_margeff().margeff_se.ravel()
    facts = {"log_likelihood": fitted.llf, "null_log_likelihood": fitted.llnull, "lr_statistic": fitted.llr}
    facts |= {"lr_df": fitted.df_model, "lr_p": fitted.llr_pvalue, "mcfadden": fitted.prsquared}
    facts |= {"aic": fitted.aic, "bic": fitted.bic, "statsmodels": statsmodels.__version__}
    table.to_csv(HERE / "mnlogit.csv", index=False, float_format="%.12g")
    effects.to_csv(HERE / "mnlogit_effects.csv", index=False, float_format="%.12g")
    rows = [(name, value if isinstance(value, str) else f"{value:.12g}") for name, value in facts.items()]
    pd.DataFrame(rows, columns=["fact", "value"]).to_csv(HERE / "mnlogit_fit.csv", index=False)


if __name__ == "__main__":
    main()
