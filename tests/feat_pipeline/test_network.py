import pytest

from feat_pipeline.network import is_loopback, page_address


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_what_only_this_machine_reaches_is_known(host, own):
    assert is_loopback(host) is own


def test_an_address_of_version_6_stands_in_brackets():
    assert page_address("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert page_address("::1", 8080) == "http://[::1]:8080/"
