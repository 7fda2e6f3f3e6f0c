"""The same extraction on Ray: a laptop's own, or a cluster by its address."""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from feat_pipeline.errors import UnavailableError
from feat_pipeline.extract.engine.processes import Setup, Task, measure_here
from feat_pipeline.extract.engine.unfinished import UnfinishedRows
from feat_pipeline.extract.tally import Tally
from feat_pipeline.registry import resolve

if TYPE_CHECKING:
    import pandas as pd

#: An actor asks for this part of a core, though it uses a whole one: Ray Data stalls where its actors hold
#: every core, because its other steps get none.
CORES_AN_ACTOR = 0.8
#: What is sent to an actor at once, and measured again when it dies on the way.
MOST_BLOCKS = 4000


def measure_on_ray(
    tasks: Sequence[Task], parts: UnfinishedRows, setup: Setup, *, actors: int | None, address: str | None
) -> Iterator[Task]:
    """Measure chunks by actors of Ray Data, each of which holds detector and backend; yields what is done.

    Parameters
    ----------
    tasks : sequence of (key, Chunk)
    parts : UnfinishedRows
        On this machine: rows come back to it, so that only the inputs must be found by every node.
    setup : Setup
    actors : int, optional
        How many; by default as many as the cluster has cores.
    address : str, optional
        Of a cluster, as ``ray.init`` takes it; by default the one of RAY_ADDRESS, else Ray is started here.

    Raises
    ------
    UnavailableError
        The cluster does not answer.

    Notes
    -----
    What an actor had under way when it or its node died is measured by another one.
    """
    import ray

    begun = not ray.is_initialized()
    if begun:
        _connect(address)
    try:
        waiting = dict(tasks)
        for batch in _results(tasks, setup, actors).iter_batches(batch_size=None, batch_format="pandas"):
            for key, rows, tally in batch[["key", "rows", "tally"]].itertuples(index=False):
                parts.write(key, pickle.loads(rows), Tally.from_dict(json.loads(tally)))
                yield key, waiting.pop(key)
    finally:
        if begun:
            ray.shutdown()


def _connect(address: str | None) -> None:
    address = address or os.environ.get("RAY_ADDRESS")
    host = re.fullmatch(r"([^:/]+):(\d+)", address or "")
    try:
        if host:  # Ray itself would wait for minutes
            socket.create_connection((host[1], int(host[2])), timeout=5).close()
        _start(address)
    except Exception as error:  # Ray raises a bare Exception where a node does not start in time
        reason = " ".join(str(error).split())[:300]
        raise UnavailableError(
            f"engine ray: no cluster at {address or 'this machine'} ({reason}); check the address, or leave "
            "it out to start Ray here"
        ) from None


def _start(address: str | None, attempts: int = 3) -> None:
    """Join the cluster, or start one here; Ray gives a node half a minute, which a busy machine exceeds."""
    import ray

    for attempt in range(1, attempts + 1):
        try:
            ray.init(
                address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
            )
            return
        except Exception as error:
            if attempt == attempts or "timed out during startup" not in str(error):
                raise
            ray.shutdown()


def _results(tasks: Sequence[Task], setup: Setup, actors: int | None) -> Any:
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    resources = ray.cluster_resources()
    wanted = min(actors or max(1, int(resources.get("CPU", 1))), len(tasks))
    options: dict[str, Any] = {"num_cpus": min(CORES_AN_ACTOR, CORES_AN_ACTOR * resources["CPU"] / wanted)}
    if resources.get("GPU") and getattr(resolve(setup.backend), "uses_gpu", False):
        options["num_gpus"] = min(1.0, resources["GPU"] / wanted)
    items = [{"key": key, "chunk": pickle.dumps(chunk)} for key, chunk in tasks]
    data = ray.data.from_items(items, override_num_blocks=min(len(items), MOST_BLOCKS))
    return data.map_batches(
        _Measurer,
        fn_constructor_args=(setup,),
        batch_size=1,
        batch_format="pandas",
        compute=ActorPoolStrategy(size=wanted),
        **options,
    )


class _Measurer:
    """An actor: built once, it measures chunk after chunk."""

    def __init__(self, setup: Setup) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._setup, self._made = setup, setup.make()

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        done: list[tuple[str, bytes, str]] = []

        def keep(key: str, rows: pd.DataFrame, tally: Tally) -> None:
            done.append((key, pickle.dumps(rows), json.dumps(tally.to_dict())))

        tasks = [(key, pickle.loads(chunk)) for key, chunk in batch[["key", "chunk"]].itertuples(index=False)]
        for _ in measure_here(tasks, keep, self._setup, self._made):
            pass
        return pd.DataFrame(done, columns=["key", "rows", "tally"])
