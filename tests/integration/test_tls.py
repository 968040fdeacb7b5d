"""TLS and mTLS from files, with certificates made on the spot."""

import asyncio

import grpc
import pytest
import trustme

from lookalike.v1 import photo_pb2, photo_pb2_grpc
from model_server import healthcheck
from model_server.settings import ServerSettings
from tests.integration.conftest import ScriptedAnalyzer, serving

REQUEST = photo_pb2.AnalyzePhotoRequest(photo=b"sunset")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def tls_settings(tmp_path, authority):
    server = authority.issue_cert("localhost")
    (tmp_path / "key.pem").write_bytes(server.private_key_pem.bytes())
    chain = b"".join(part.bytes() for part in server.cert_chain_pems)
    (tmp_path / "certificate.pem").write_bytes(chain)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def make(**settings):
        return ServerSettings(
            _env_file=None,
            port=0,
            drain_s=5.0,
            tls_key=tmp_path / "key.pem",
            tls_certificate=tmp_path / "certificate.pem",
            **settings,
        )

    make.client_ca = tmp_path / "ca.pem"
    return make


def stub_over(channel):
    return photo_pb2_grpc.PhotoServiceStub(channel)


async def test_tls(tls_settings, authority):
    """Who trusts the authority is answered; who speaks no TLS is not."""
    async with serving(tls_settings(), ScriptedAnalyzer()) as running:
        credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        async with grpc.aio.secure_channel(f"localhost:{running.port}", credentials) as channel:
            assert (await stub_over(channel).AnalyzePhoto(REQUEST)).caption.text
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.photo.AnalyzePhoto(REQUEST)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_mutual_tls(tls_settings, authority):
    """With a client authority set, a caller must show a certificate of it."""
    settings = tls_settings(tls_client_ca=tls_settings.client_ca)
    async with serving(settings, ScriptedAnalyzer()) as running:
        root = authority.cert_pem.bytes()
        stranger = grpc.ssl_channel_credentials(root)
        async with grpc.aio.secure_channel(f"localhost:{running.port}", stranger) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await stub_over(channel).AnalyzePhoto(REQUEST, timeout=5)
        client = authority.issue_cert("client@example.org")
        known = grpc.ssl_channel_credentials(
            root, client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
        )
        async with grpc.aio.secure_channel(f"localhost:{running.port}", known) as channel:
            assert (await stub_over(channel).AnalyzePhoto(REQUEST)).caption.text


async def healthcheck_says(*arguments):
    return await asyncio.to_thread(healthcheck.main, arguments)


async def test_the_health_port_needs_no_certificate(tls_settings, monkeypatch, tmp_path):
    """The container's check finds a server behind mTLS by the settings; photos are not taken."""
    monkeypatch.chdir(tmp_path)
    settings = tls_settings(tls_client_ca=tls_settings.client_ca, health_port=0)
    async with serving(settings, ScriptedAnalyzer()) as running:
        for name in ("tls_certificate", "tls_key", "tls_client_ca"):
            monkeypatch.setenv(f"LOOKALIKE_{name.upper()}", str(getattr(settings, name)))
        monkeypatch.setenv("LOOKALIKE_HEALTH_PORT", str(running.server.health_port))
        monkeypatch.setenv("LOOKALIKE_HOST", "0.0.0.0")
        assert await healthcheck_says() == 1
        assert await healthcheck_says("--service", "") == 0
        running.server.set_ready(ready=True)
        assert await healthcheck_says() == 0
        target = f"127.0.0.1:{running.server.health_port}"
        async with grpc.aio.insecure_channel(target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub_over(channel).AnalyzePhoto(REQUEST)
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_the_healthcheck_over_tls(tls_settings, monkeypatch, tmp_path, capsys):
    """Without a health port the authority must be named; the port is that of the settings."""
    monkeypatch.chdir(tmp_path)
    settings = tls_settings()
    async with serving(settings, ScriptedAnalyzer()) as running:
        running.server.set_ready(ready=True)
        monkeypatch.setenv("LOOKALIKE_TLS_CERTIFICATE", str(settings.tls_certificate))
        monkeypatch.setenv("LOOKALIKE_TLS_KEY", str(settings.tls_key))
        monkeypatch.setenv("LOOKALIKE_PORT", str(running.port))
        monkeypatch.setenv("LOOKALIKE_HOST", "::")
        assert await healthcheck_says() == 1
        assert "LOOKALIKE_HEALTH_PORT" in capsys.readouterr().err
        assert await healthcheck_says("--tls-ca", str(tls_settings.client_ca)) == 0


async def test_the_healthcheck_without_tls(monkeypatch, tmp_path):
    """It asks at the port that is set, or the server that is named."""
    monkeypatch.chdir(tmp_path)
    settings = ServerSettings(_env_file=None, port=0, drain_s=5.0)
    async with serving(settings, ScriptedAnalyzer()) as running:
        running.server.set_ready(ready=True)
        monkeypatch.setenv("LOOKALIKE_PORT", str(running.port))
        assert await healthcheck_says() == 0
        monkeypatch.setenv("LOOKALIKE_PORT", "1")
        assert await healthcheck_says() == 1
        assert await healthcheck_says("--server", f"localhost:{running.port}") == 0
