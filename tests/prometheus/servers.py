"""A Prometheus of a test's own: Debian's program, with five days of one figure already in it."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

DAYS = 5
_STEP_S = 300
BACKFILLED = "switchyard_queue_messages"
_START_S = 60.0


@dataclass(kw_only=True)
class Server:
    """Started by `start`, ended by `stop`; what it keeps lies in `folder`."""

    binary: str
    promtool: str
    folder: Path
    port: int
    # One for all: each makes a context of TLS, which takes longer than an answer.
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, config: Path) -> None:
        self._backfill()
        command = [self.binary, f"--config.file={config}", f"--storage.tsdb.path={self._data}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        # Its consoles are Debian's own, at a place of Debian's own.
        with (self.folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        self.client.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def query(self, expression: str) -> list[dict[str, object]]:
        """The vector of `expression` now; one that it refuses is an error."""
        answer = self.client.get(f"{self.url}/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        found: list[dict[str, object]] = answer.json()["data"]["result"]
        return found

    def loads(self) -> list[dict[str, object]]:
        """The rules that it evaluates, each with its health."""
        groups = self.client.get(f"{self.url}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _backfill(self) -> None:
        """A figure that is 7 at any time from five days to an hour ago."""
        now = int(time.time())
        moments = range(now - DAYS * 86_400, now - 3_600, _STEP_S)
        lines = [f"# TYPE {BACKFILLED} gauge", *(f"{BACKFILLED} 7 {at}" for at in moments), "# EOF"]
        told = self.folder / "history.txt"
        told.write_text("\n".join(lines) + "\n")
        command = [self.promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
        subprocess.run(
            [*command, str(told), str(self._data)], check=True, capture_output=True, timeout=60
        )

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if self.client.get(f"{self.url}/-/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError((self.folder / "prometheus.log").read_text(errors="replace")[-2_000:])


def config(port: int, secret: Path, rules: Path) -> str:
    """As deploy/prometheus/prometheus.yml, each second. JSON is YAML."""
    target = {"targets": [f"127.0.0.1:{port}"]}
    job = {
        "job_name": "switchyard",
        "authorization": {"credentials_file": str(secret)},
        "static_configs": [target],
    }
    asked = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return json.dumps({"global": asked, "rule_files": [str(rules)], "scrape_configs": [job]})
