"""The real model server in a process of its own, as operators start it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

START_S = 90
STOP_S = 60


class ModelServerProcess:
    """``python -m model_server`` on a free port, with a data directory of its own."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0, **environment: str):
        self.folder = folder
        self._log = (folder / "server.log").open("a")
        port_file = folder / "port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "model_server", "--port", str(port)),
                *("--port-file", str(port_file), *arguments),
            ],
            env={
                **os.environ,
                "LOOKALIKE_DATA_DIR": str(folder / "data"),
                "LOOKALIKE_CACHE_DIR": str(folder / "cache"),
                **environment,
            },
            stderr=self._log,
        )
        self.port = int(self._wait(lambda: port_file.exists() and port_file.read_text()))
        self.address = f"127.0.0.1:{self.port}"

    def _wait(self, condition):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if value := condition():
                return value
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the server did not come up:\n{self.log()}")

    def wait_until_serving(self):
        """Until models are loaded and warm."""
        request = health_pb2.HealthCheckRequest(service="lookalike.v1.PhotoService")
        with grpc.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            serving = health_pb2.HealthCheckResponse.SERVING

            def is_serving():
                try:
                    return stub.Check(request, timeout=2).status == serving
                except grpc.RpcError:
                    return False  # gone perhaps: then _wait says so

            self._wait(is_serving)
        return self

    def log(self):
        """Everything it logged so far."""
        return (self.folder / "server.log").read_text()

    def stop(self, number=signal.SIGTERM):
        """As a supervisor does; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(STOP_S)
        self._log.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
