"""A real grpc.aio server on a free port, with a scripted pipeline behind it."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import pytest

from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc, photo_pb2_grpc
from model_server.admission import Admission
from model_server.analysis import Analysis, Caption
from model_server.errors import CelebrityNotFoundError, CorruptPhotoError
from model_server.metrics import Metrics
from model_server.server import LookalikeServer
from model_server.services.photo import PhotoService
from model_server.settings import ServerSettings
from model_server.workers import Workers


class ScriptedAnalyzer:
    """Answers by the photo's bytes: "bad…" is damaged, "bug…" is our fault, "slow…" waits."""

    def __init__(self):
        self.gate = threading.Event()
        self.began = threading.Semaphore(0)
        self.analyzed = []

    def analyze(self, data, options, cancelled=lambda: False):
        self.began.release()
        if data.startswith(b"bad"):
            raise CorruptPhotoError("the file is damaged: send it once more")
        if data.startswith(b"bug"):
            raise ZeroDivisionError(f"secret {data!r}")
        while data.startswith(b"slow") and not self.gate.wait(0.01):
            if cancelled():
                raise asyncio.CancelledError
        self.analyzed.append(data)
        return Analysis(3, 2, Caption(f"caption of {data.decode()}", -1.0, 0.25))

    def describe(self, data, cancelled=lambda: False):
        return self.analyze(data, None, cancelled)

    match = analyze

    def compare(self, first, second, *, include_crops=False, cancelled=lambda: False):
        raise NotImplementedError


class ScriptedCelebrities(celebrity_pb2_grpc.CelebrityServiceServicer):
    async def GetCelebrity(self, request, context):
        raise CelebrityNotFoundError(f"there is no {request.name}")

    async def DeleteCelebrity(self, request, context):
        return celebrity_pb2.DeleteCelebrityResponse()


@pytest.fixture
def settings():
    return ServerSettings(_env_file=None, port=0, drain_s=5.0, max_in_flight=2)


@contextlib.asynccontextmanager
async def serving(settings, analyzer, threads=None):
    executor = ThreadPoolExecutor(threads or settings.max_in_flight)
    admission = Admission(settings.max_in_flight)
    photo = PhotoService(analyzer, Workers(executor, admission, Metrics()))
    services = SimpleNamespace(photo=photo, celebrity=ScriptedCelebrities(), admission=admission)
    server = LookalikeServer(settings, services, Metrics())
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            yield SimpleNamespace(
                server=server,
                port=port,
                channel=channel,
                analyzer=analyzer,
                admission=admission,
                photo=photo_pb2_grpc.PhotoServiceStub(channel),
                celebrity=celebrity_pb2_grpc.CelebrityServiceStub(channel),
            )
        finally:
            analyzer.gate.set()
            await server.drain()
            executor.shutdown()


@pytest.fixture
async def running(settings):
    async with serving(settings, ScriptedAnalyzer()) as running:
        yield running
