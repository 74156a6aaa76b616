"""Run by test_ray_nodes.py in a process of its own: a cluster of three nodes on this machine, and where workers went."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import ray
from ray.cluster_utils import Cluster

from codesieve.workers.remote import SANDBOX_NODE, RemoteWorker
from codesieve.workers.types import WorkerInfo
from codesieve.workers.worker import TaskWorker


class WhereWorker(TaskWorker[Any, Any]):
    """Says on which node it runs."""

    def __init__(self) -> None:
        super().__init__(self._nothing)

    @staticmethod
    async def _nothing(work: object) -> object:
        return work

    async def start(self) -> WorkerInfo:
        return WorkerInfo("where", 1, ray.get_runtime_context().get_node_id())

    async def stop(self) -> None:
        pass


async def where(cluster: Any) -> dict[str, object]:
    first = cluster.add_node(num_cpus=1, resources={SANDBOX_NODE: 2})
    workers = [RemoteWorker(WhereWorker, node=SANDBOX_NODE) for _ in range(3)]
    seen = [(await worker.start()).detail for worker in workers[:2]]
    third = asyncio.create_task(workers[2].start())
    await asyncio.wait([third], timeout=3)
    waited = not third.done()
    second = cluster.add_node(num_cpus=1, resources={SANDBOX_NODE: 1})
    seen.append((await third).detail)
    for worker in workers:
        await worker.stop()
    return {"first": first.node_id, "second": second.node_id, "seen": seen, "waited": waited}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level="warning")
        said = asyncio.run(where(cluster))
        ray.shutdown()
    finally:
        cluster.shutdown()
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
