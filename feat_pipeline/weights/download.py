"""Weights of backends made elsewhere, downloaded to where they belong; the one thing here that downloads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from feat_pipeline.errors import OutputError, UnavailableError, UsageError
from feat_pipeline.registry import resolve
from feat_pipeline.weights.hub import reachable
from feat_pipeline.weights.pyfeat import NEEDED, Weights, check_packages, resources

if TYPE_CHECKING:
    from collections.abc import Sequence


MEDIAPIPE = "mediapipe"
FETCHABLE = (*NEEDED, MEDIAPIPE)


def licences(name: str) -> list[str]:
    """Tell the licences of what `fetch` would download, a line for each repository or file.

    Parameters
    ----------
    name : str
        Out of `FETCHABLE`.

    Raises
    ------
    UsageError
        The name is unknown.
    """
    if name not in FETCHABLE:
        raise UsageError(f"models fetch: expected one of {', '.join(FETCHABLE)}, got {name!r}")
    if name == MEDIAPIPE:
        return ["Google's face_landmarker.task: Apache License 2.0"]
    terms = {weights.repo_id: weights.licence for weights in NEEDED[name]}
    return [f"{repo}: {licence}" for repo, licence in terms.items()]


def fetch(name: str) -> list[Path]:
    """Download the weights of a backend; what is on the machine already stays as it is.

    Parameters
    ----------
    name : str
        Out of `FETCHABLE`.

    Returns
    -------
    list of Path
        The files, each of them whole.

    Raises
    ------
    UsageError
        The name is unknown.
    UnavailableError
        Its package is not installed, or the hub cannot be reached or lacks a file.
    OutputError
        The folder cannot be written.
    """
    if name not in FETCHABLE:
        raise UsageError(f"models fetch: expected one of {', '.join(FETCHABLE)}, got {name!r}")
    if name == MEDIAPIPE:
        return [Path(resolve("feat_pipeline.extract.backends.mediapipe:fetch")())]
    check_packages(name)  # before the hub is asked
    if any(weights.found is None for weights in NEEDED[name]):
        _check_hub()
    return [weights.found or _download(weights, NEEDED[name]) for weights in NEEDED[name]]


def _check_hub() -> None:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise UnavailableError(
            "the Hugging Face hub is switched off by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE; unset it and "
            "run the command again"
        )
    reason = reachable(constants.ENDPOINT)
    if reason:
        raise UnavailableError(
            f"the hub {constants.ENDPOINT} cannot be reached ({reason}); check the connection and run the "
            "command again, or copy the models--py-feat--… folders of a machine that has them to "
            f"{resources()}"
        )


def _download(weights: Weights, wanted: Sequence[Weights]) -> Path:
    """Let the hub's own client do it: it resumes, checks the size and moves the whole file into its place."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    what = f"{weights.repo_id}/{weights.file}"
    here = sum(other.found is not None for other in wanted)
    tally = f"{here} of {len(wanted)} files are on this machine"
    try:
        return Path(hf_hub_download(weights.repo_id, weights.file, cache_dir=resources()))
    except LocalEntryNotFoundError as error:
        raise UnavailableError(
            f"{what}: the download broke off ({_reason(error)}); {tally}; run the command again"
        ) from error
    except (EntryNotFoundError, RepositoryNotFoundError) as error:
        raise UnavailableError(
            f"{what}: the hub has no such file ({_reason(error)}); {tally}; update py-feat and feat-pipeline"
        ) from error
    except OSError as error:
        if error.filename is None:  # the client's own errors are OSErrors, too
            raise UnavailableError(
                f"{what}: the download broke off ({_reason(error)}); {tally}; run the command again"
            ) from error
        raise OutputError(
            f"{error.filename}: cannot be written ({error.strerror}); py-feat reads its weights from its own "
            "package only: install it into a virtual environment that you may write to"
        ) from error
    except Exception as error:  # the transport's, of whichever library the client uses
        raise UnavailableError(
            f"{what}: the download broke off ({_reason(error)}); {tally}; run the command again"
        ) from error


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error
    return (" ".join(str(cause).split()) or type(cause).__name__)[:200]
