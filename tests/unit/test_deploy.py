"""What the files under deploy/ and docker-compose.yml promise."""

import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("name", ["server", "web", "telegram", "discord"])
def test_what_is_set_in_the_env_file_arrives(name):
    """Every setting of the README counts; without the file everything starts as well."""
    assert SERVICES[name]["env_file"] == [{"path": ".env", "required": False}]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("server", {"HOST": "0.0.0.0", "PORT": 50051, "METRICS_PORT": 9464, "DATA_DIR": "/data"}),
        ("web", {"SERVER": "server:50051", "WEB_HOST": "0.0.0.0", "WEB_PORT": 8080}),
        ("telegram", {"SERVER": "server:50051", "DATA_DIR": "/data"}),
        ("discord", {"SERVER": "server:50051", "DATA_DIR": "/data"}),
    ],
)
def test_an_env_file_made_for_no_container_does_not_move_what_is_in_one(name, settings):
    """Addresses, ports and folders inside the containers are fixed: others rely on them."""
    fixed = SERVICES[name]["environment"]
    assert {key: fixed[f"LOOKALIKE_{key}"] for key in settings} == settings


@pytest.mark.parametrize(("file", "image"), [("server", "server"), ("web", "bots")])
def test_kubernetes_runs_the_image_that_was_built(file, image):
    """A tag of this version, as the Dockerfile says it is built; no registry has to have it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    manifest = (ROOT / "deploy" / "kubernetes" / f"{file}.yaml").read_text(encoding="utf-8")
    deployment = next(yaml.safe_load_all(manifest))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"lookalike-{image}:{version}"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert f"-t {container['image']} " in (ROOT / "deploy" / "Dockerfile").read_text()
