"""What py-feat's import and constructors change in the process, undone."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from feat_pipeline.environment import restored_variables

#: py-feat sets the first to 1 where it is unset, torch the second once it compiles.
_VARIABLES = ("OMP_NUM_THREADS", "TORCHINDUCTOR_CACHE_DIR")
#: Its pickled classifiers were once looked up in the main module.
_CLASSES = ("XGBClassifier", "SVMClassifier", "EmoSVMClassifier")


@contextmanager
def untouched() -> Iterator[None]:
    """Give back what py-feat changes within the block.

    Environment variables, torch's grad mode and number of threads, the warning filters, xgboost's
    ``Booster.__setstate__`` and the classes that it puts into the main module. Within the block warnings
    are silent, and the hub is not asked: the files that a detector reads are on the machine, and a hub that
    cannot be reached would cost up to a minute for each of them.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(restored_variables(_VARIABLES))
        stack.enter_context(_main_module())
        # xgboost before torch, as py-feat does: the other way round its models crash on macOS. Both are
        # imported before py-feat sets OMP_NUM_THREADS, which they would read once and for all.
        stack.enter_context(_booster())
        stack.enter_context(_torch())
        stack.enter_context(_offline())
        yield


@contextmanager
def _main_module() -> Iterator[None]:
    names = vars(sys.modules["__main__"])
    before = {name: names[name] for name in _CLASSES if name in names}
    try:
        yield
    finally:
        for name in _CLASSES:
            names.pop(name, None)
        names.update(before)


@contextmanager
def _booster() -> Iterator[None]:
    from xgboost.core import Booster

    before = Booster.__setstate__
    try:
        yield
    finally:
        setattr(Booster, "__setstate__", before)  # noqa: B010 - a plain assignment is no method to mypy


@contextmanager
def _torch() -> Iterator[None]:
    import torch

    grad, threads = torch.is_grad_enabled(), torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_num_threads(threads)


@contextmanager
def _offline() -> Iterator[None]:
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
