"""Names of the files in a folder of results: runs write them, readers find them by these."""

PREDICTIONS = "predictions.csv"
EXPLANATIONS = "explanations.jsonl"
CONTRIBUTIONS = "contributions.csv"
COUNTERFACTUALS = "counterfactuals.csv"
SKIPPED = "skipped.csv"
RUN = "run.json"
REPORT = "report.html"

AUS_CSV = "aus.csv"
AUS_PARQUET = "aus.parquet"
AUS_META = "aus.meta.json"
AU_TABLE = (AUS_CSV, AUS_META, AUS_PARQUET)

MODEL = "model.json"
WEIGHTS = "weights.safetensors"
NETWORK = "network.onnx"
COEFFICIENTS = "coefficients.csv"
MODEL_COPIES = "models"
"""The subfolder of the regressions that explained a folder's predictions."""

CHECKPOINT = "checkpoint.pt"
CURVES = "curves.csv"
CURVES_FIGURE = "curves.png"

RESULT_KINDS = ("inference", "comparison", "surrogate", "agreement")


def result_file(kind: str) -> str:
    """Return the name of a result's file, one of `RESULT_KINDS`."""
    return f"{kind}.json"


OF_A_MODEL = (MODEL, WEIGHTS, NETWORK, COEFFICIENTS, result_file("inference"), result_file("surrogate"))
"""What says something of the model in the folder: another model must not be taken for it."""
