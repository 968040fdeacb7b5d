"""What all tests share: one real model server for those that need one."""

import pytest

from tests.support.model_server import ModelServerProcess


@pytest.fixture(scope="session")
def model_server(tmp_path_factory):
    """A real model server with the shipped models; its ``address`` is HOST:PORT."""
    with ModelServerProcess(tmp_path_factory.mktemp("model-server")) as server:
        yield server.wait_until_serving()
