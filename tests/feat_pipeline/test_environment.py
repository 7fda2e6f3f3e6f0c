import os

import pytest

from feat_pipeline.environment import restored_variables


def test_variables_are_as_they_were_also_after_an_error(monkeypatch):
    monkeypatch.setenv("FEAT_WAS_SET", "before")
    monkeypatch.delenv("FEAT_WAS_UNSET", raising=False)
    with pytest.raises(KeyError), restored_variables(["FEAT_WAS_SET", "FEAT_WAS_UNSET"]):
        os.environ["FEAT_WAS_UNSET"] = "meanwhile"
        del os.environ["FEAT_WAS_SET"]
        raise KeyError
    assert os.environ["FEAT_WAS_SET"] == "before" and "FEAT_WAS_UNSET" not in os.environ
