import os

import pytest

from feat_pipeline.app.limits import RefusedError


def put(uploads, content=b"abc"):
    with uploads.room(len(content), 1000) as path:
        path.write_bytes(content)
    return path.name


def test_an_upload_is_handed_out_once_and_is_gone_afterwards(uploads):
    ticket = put(uploads)
    with uploads.taken(ticket) as path:
        assert path.read_bytes() == b"abc"
        with pytest.raises(RefusedError, match="no longer here"), uploads.taken(ticket):
            pass
    assert list(uploads.folder.iterdir()) == []


def test_an_upload_is_gone_though_its_answer_failed(uploads):
    ticket = put(uploads)
    with pytest.raises(ZeroDivisionError), uploads.taken(ticket):
        1 / 0  # noqa: B018
    assert list(uploads.folder.iterdir()) == []


def test_what_breaks_off_leaves_nothing_and_frees_its_room(uploads):
    for _ in range(5):  # five times 100 kB are more than fit together
        with pytest.raises(OSError), uploads.room(100_000, 100_000) as path:
            path.write_bytes(b"part")
            raise OSError
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize("ticket", ["../conftest.py", "", None, "0" * 31, "0" * 32, "0" * 32 + "/..", ["x"]])
def test_a_ticket_that_names_no_upload_is_refused(uploads, ticket):
    with pytest.raises(RefusedError, match="no longer here; send it again"), uploads.taken(ticket):
        pass


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "The file is empty"),
        (2_400_000, "The file has 2.4 MB, and at most 0.1 MB are taken here"),
        (100_001, "The file has 0.1 MB, and at most"),
    ],
)
def test_an_upload_of_the_wrong_size_is_refused_in_words(uploads, size, told):
    with pytest.raises(RefusedError, match=told), uploads.room(size, uploads.limits.photo_bytes):
        pass


def test_uploads_together_take_no_more_than_their_share_of_the_disk(uploads):
    put(uploads, bytes(1000))
    with uploads.room(200_000, 200_000):
        with pytest.raises(RefusedError, match="Many people"), uploads.room(60_000, 200_000):
            pass
        put(uploads)


def test_what_nobody_asks_about_is_swept_away_but_nothing_else(uploads):
    old, fresh = put(uploads), put(uploads)
    (uploads.folder / "other").write_text("not an upload")
    for name in (old, "other"):
        os.utime(uploads.folder / name, (0, 0))
    uploads.sweep()
    assert sorted(path.name for path in uploads.folder.iterdir()) == sorted([fresh, "other"])
