"""A real Prometheus beside a server, configured as deploy/monitoring ships it, but for where and how often it scrapes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from deploy.monitoring import generate
from deploy.monitoring.query import Prometheus, QueryFailed
from tests.e2e.processes import wait_for
from tests.ports import free_port

SCRAPE_SECONDS = 2
START_SECONDS = 60


class PrometheusServer:
    """Runs below `home` from when it is made until `stop`, and scrapes what the front end at `metrics` tells of."""

    def __init__(self, home: Path, metrics: str) -> None:
        home.mkdir()
        shutil.copy(generate.HERE / generate.RULES, home)
        shipped = (generate.HERE / "prometheus.yml").read_text()
        often = re.sub(r"((?:interval|timeout): )\d+s", rf"\g<1>{SCRAPE_SECONDS}s", shipped)
        here = often.replace("127.0.0.1:9464", metrics)
        assert f"http://{metrics}/targets" in here
        (home / "prometheus.yml").write_text(here)
        url = f"127.0.0.1:{free_port()}"
        command = ["prometheus", f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data"]
        self._log = (home / "log").open("wb")
        self._process = subprocess.Popen(
            [*command, f"--web.listen-address={url}"], stdout=self._log, stderr=self._log, start_new_session=True
        )
        self.api = Prometheus(f"http://{url}")
        try:
            wait_for(self._answers, START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def up(self) -> set[tuple[str, str]]:
        """Component and worker of each process that it could scrape."""
        healthy = (one["labels"] for one in self.api.targets() if one["health"] == "up")
        return {(labels["component"], labels.get("worker", "")) for labels in healthy}

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        try:
            self.api.targets()
        except QueryFailed:
            return False
        return True
