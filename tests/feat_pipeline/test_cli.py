import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from analysis.autable import AUTable
from feat_pipeline import __version__, commands
from feat_pipeline.cli import build_parser
from feat_pipeline.runs import predict as results
from tests.feat_pipeline.conftest import au_rows


def commands_of(parser, above=""):
    """Every command with its parser, also the actions of a command such as models import."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield f"{above}{name}", each
                yield from commands_of(each, f"{above}{name} ")


COMMANDS = dict(commands_of(build_parser()))
every_command = pytest.mark.parametrize("command", COMMANDS)


def example_of(parser):
    """The arguments of the example in the help of a command."""
    (line,) = [line for line in parser.epilog.splitlines() if line.startswith("example: feat-pipeline ")]
    return shlex.split(line.removeprefix("example: feat-pipeline "))


@every_command
def test_every_command_has_help_with_an_example(run, command):
    code, out, _ = run(*command.split(), "-h")
    assert code == 0
    assert f"example: feat-pipeline {command}" in out


@every_command
def test_every_example_is_one_that_the_command_takes(command):
    arguments = build_parser().parse_args(example_of(COMMANDS[command]))
    assert arguments.run is COMMANDS[command].get_default("run")


@every_command
def test_every_argument_of_a_command_has_a_help_text(command):
    options = [a for a in COMMANDS[command]._actions if not isinstance(a, argparse._SubParsersAction)]
    assert [option.dest for option in options if not option.help] == []


def test_the_program_has_help_with_an_example_every_command_and_the_exit_codes(run):
    code, out, _ = run("-h")
    assert code == 0 and "example: feat-pipeline predict" in out and "exit codes: 0 all done" in out
    listed = [line.split()[0] for line in out.splitlines() if line[:4] == "    " and line[4] != " "]
    assert listed == [command for command in COMMANDS if " " not in command]


def test_every_file_of_the_folder_commands_is_a_command_of_the_program():
    files = {path.stem for path in Path(commands.__path__[0]).glob("*.py")}
    assert files - {"__init__", "parser", "printing"} == {c for c in COMMANDS if " " not in c}


def test_version(run):
    assert run("--version") == (0, f"feat-pipeline {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["extract", "photo.jpg"], "required: --out"),
        (["extract", "--out", "x"], "required: PATH"),
        (["extract", "photo.jpg", "--out", "x", "--detector", "eyes"], "invalid choice: 'eyes'"),
        (["extract", "photo.jpg", "--out", "x", "--backend", "magic"], "invalid choice: 'magic'"),
        (["extract", "photo.jpg", "--out", "x", "--format", "xlsx"], "invalid choice: 'xlsx'"),
        (["fit", "aus.csv", "--out", "x"], "one of the arguments --labels --label-column is required"),
        (["fit", "aus.csv", "--out", "x", "--labels", "a", "--label-column", "b"], "not allowed with"),
        (["predict", "photo.jpg"], "required: --out"),
        (["report"], "required: DIR"),
    ],
)
def test_wrong_usage_exits_with_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and message in err


def test_extract_prints_the_files_it_wrote_and_summarises_on_stderr(fakes, run, photos, tmp_path):
    out = tmp_path / "out"
    code, stdout, stderr = run("extract", photos, "--out", out)
    assert code == 0
    assert stdout.splitlines() == [str(out / name) for name in ("aus.csv", "skipped.csv", "run.json")]
    assert all(Path(line).is_file() for line in stdout.splitlines())
    assert stderr.startswith("feat-pipeline: 3 inputs, 3 faces, skipped: 1 no face;")


def test_no_progress_bar_in_a_pipe_and_one_on_a_terminal(fakes, run, photos, tmp_path, monkeypatch):
    _, _, stderr = run("extract", photos, "--out", tmp_path / "piped")
    assert "photo/s" not in stderr
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, _, stderr = run("extract", photos, "--out", tmp_path / "shown")
    assert "photo/s" in stderr and "100%" in stderr


def test_extract_writes_parquet(fakes, run, photos, tmp_path):
    code, stdout, _ = run("extract", photos, "--out", tmp_path / "out", "--format", "parquet")
    assert code == 0 and len(AUTable.read(stdout.splitlines()[0])) == 3


def test_predict_writes_a_row_per_face_and_model(fakes, run, photos, model_dir, tmp_path):
    out = tmp_path / "out"
    code, stdout, _ = run("predict", photos, "--model", model_dir, "--out", out, "--annotate")
    assert code == 0
    names = ("predictions.csv", "explanations.jsonl", "skipped.csv", "run.json")
    assert stdout.splitlines() == [str(out / name) for name in names]
    assert pd.read_csv(out / "predictions.csv")["label"].value_counts().to_dict() == {"happy": 2, "angry": 1}
    assert json.loads((out / "run.json").read_text())["models"] == ["tiny"]


def test_fit_from_labels_prints_scores_and_the_model_predicts(fakes, run, photos, tmp_path):
    aus, labels = au_rows()
    AUTable(aus, backend="fake", backend_version="7", scale="r").write(tmp_path / "aus.csv")
    pd.DataFrame({"input": aus["input"], "label": labels}).to_csv(tmp_path / "labels.csv", index=False)
    model = tmp_path / "mine"
    code, stdout, stderr = run(
        "fit", tmp_path / "aus.csv", "--labels", tmp_path / "labels.csv", "--out", model
    )
    assert code == 0
    scores = dict(line.split("\t") for line in stdout.splitlines())
    assert float(scores["accuracy"]) > 0.9 and scores["folds"] == "5"
    assert f"wrote {model}" in stderr
    assert set(pd.read_csv(model / "coefficients.csv")["emotion"]) == {"happy", "angry", "neutral"}
    assert json.loads((model / "run.json").read_text())["parameters"]["alpha"] == 1.0
    code, _, _ = run("predict", photos, "--model", model, "--out", tmp_path / "out")
    assert code == 0


def test_fit_takes_labels_and_groups_from_columns(run, tmp_path):
    aus, labels = au_rows()
    aus.assign(mood=labels, person=[f"p{i // 6}" for i in range(len(aus))]).to_csv(
        tmp_path / "aus.csv", index=False
    )
    code, stdout, _ = run("fit", tmp_path / "aus.csv", "--label-column", "mood", "--groups", "person",
                          "--terms", "hinges", "--folds", 3, "--out", tmp_path / "model")  # fmt: skip
    assert code == 0 and "folds\t3" in stdout and "grouped\tTrue" in stdout


def test_report_prints_the_file_it_wrote(fakes, run, photos, model_dir, tmp_path):
    out = tmp_path / "out"
    run("predict", photos, "--model", model_dir, "--out", out, "--annotate")
    assert run("report", out) == (0, f"{out / 'report.html'}\n", "")
    html = (out / "report.html").read_text()
    assert "lip corner puller" in html and "two.png" in html
    code, _, err = run("report", out)
    assert code == 2 and "exists already; add --overwrite" in err
    assert run("report", out, "--overwrite")[0] == 0


def test_backends_and_models_print_a_table(run):
    code, out, _ = run("backends")
    assert code == 0 and out.splitlines()[0].split()[:4] == ["kind", "name", "version", "status"]
    assert any(line.split()[:3] == ["face", "detector", "haar"] for line in out.splitlines())
    assert any("yunet" in line and "FEAT_YUNET" in line for line in out.splitlines() if "missing" in line)
    code, out, _ = run("models")
    assert code == 0 and out.splitlines()[0].split() == [
        "name",
        "kind",
        "needs",
        "classes",
        "licence",
        "path",
    ]


def test_an_interruption_keeps_what_was_done(fakes, run, photos, model_dir, tmp_path, monkeypatch):
    def interrupted(self, items):
        yield from [item for item, _ in zip(original(self, items), range(2), strict=False)]
        raise KeyboardInterrupt

    original = results.Predictor.predict_many
    monkeypatch.setattr(results.Predictor, "predict_many", interrupted)
    out = tmp_path / "out"
    code, _, err = run("predict", photos, "--model", model_dir, "--out", out)
    assert code == 130
    assert err == f"feat-pipeline: interrupted; the 2 inputs done until then are in {out}\n"
    assert len(pd.read_csv(out / "predictions.csv")) == 2


def test_an_interruption_before_the_command_is_known_is_one_line_too(run, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("feat_pipeline.cli.import_module", interrupted)
    assert run("models") == (130, "", "feat-pipeline: interrupted\n")


def test_the_package_runs_as_a_program():
    command = [sys.executable, "-m", "feat_pipeline", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"feat-pipeline {__version__}\n", "")


def test_a_full_disk_midway_is_one_line_and_exit_1(fakes, run, photos, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "somewhere")

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("feat_pipeline.extract.engine.unfinished.UnfinishedRows.write", full)
        code, _, err = run("extract", photos, "--out", out)
    assert code == 1 and err.count("\n") == 1
    assert "cannot be written (No space left on device)" in err and "0 of 3 photos are measured" in err
    assert run("extract", photos, "--out", out)[0] == 0


def test_debug_shows_the_traceback(run, tmp_path):
    with pytest.raises(ValueError, match="no such file or folder"):
        run("--debug", "extract", tmp_path / "gone", "--out", tmp_path / "out")
    with pytest.raises(ValueError, match="no such file or folder"):
        run("extract", tmp_path / "gone", "--out", tmp_path / "out", "--debug")


def test_a_closed_pipe_is_no_error_message():
    program = shutil.which("feat-pipeline", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("the console script is not installed")
    command = f"{program} models | true; {program} --version"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"feat-pipeline {__version__}\n" and done.stderr == ""


@pytest.mark.parametrize(
    "command", [["extract"], ["predict", "--model", "MODEL"]], ids=["extract", "predict"]
)
def test_a_run_ends_with_what_was_ignored_and_why(fakes, run, photos, model_dir, tmp_path, command):
    (photos / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0torn")
    command = [model_dir if word == "MODEL" else word for word in command]
    code, _, err = run(*command, photos, "--out", tmp_path / "out")
    last = err.splitlines()[-1]
    empty, torn = photos / "empty.png", photos / "torn.jpg"
    assert code == 1
    assert last == (
        f"feat-pipeline: ignored: 1 no face ({empty}); 1 error ({torn}); "
        "all are in skipped.csv with the reason"
    )
    assert json.loads((tmp_path / "out" / "run.json").read_text())["ignored"] == [
        {"why": "no face", "count": 1, "first": [str(empty)]},
        {"why": "error", "count": 1, "first": [str(torn)]},
    ]


def test_a_series_tells_what_was_ignored_too(fakes, run, video, model_dir, tmp_path):
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(b"torn")
    code, _, err = run("series", video, torn, "--model", model_dir, "--out", tmp_path / "out")
    assert code == 1 and err.splitlines()[-1].startswith(f"feat-pipeline: ignored: 1 error ({torn})")


def test_an_interruption_while_the_program_is_imported_costs_one_line():
    hit = (
        "import sys, builtins\n"
        "real = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name.startswith(('numpy', 'feat_pipeline.commands')): raise KeyboardInterrupt\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = interrupted\n"
        "sys.argv = ['feat-pipeline', 'extract', 'x.jpg', '--out', 'o']\n"
        "from feat_pipeline.cli import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", hit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "feat-pipeline: interrupted\n")
