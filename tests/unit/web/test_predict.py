"""POST /predict, and errors as RFC 9457 wants them."""

import grpc
import pytest

from tests.support.fake_server import Failure, analysis, face, picture
from tests.support.web_world import running_web


async def test_four_values(world):
    """A photo gets caption, name, score and portrait URL, and nothing else."""
    response = await world.http.post("/predict", **world.photo(picture()))
    assert response.status_code == 200
    assert response.json() == {
        "caption": "a person smiles",
        "matched_celebrity": "Star 1",
        "similarity_score": 0.9,
        "actor_image_url": f"{world.url}/celebrities/star-1/portrait",
    }


async def test_portrait_url_leads_to_a_picture(world):
    """The URL of the answer can be opened as it is."""
    answer = (await world.http.post("/predict", **world.photo(picture()))).json()
    portrait = await world.http.get(answer["actor_image_url"])
    assert portrait.headers["content-type"] == "image/jpeg"
    assert portrait.content == world.fake.portrait


async def test_the_largest_face_counts(world):
    """Of several faces the server's first, its largest, is taken, wherever it stands."""
    world.fake.script = lambda _: analysis(face(x=300, first=7), face(x=5, first=2))
    answer = (await world.http.post("/predict", **world.photo(picture()))).json()
    assert answer["matched_celebrity"] == "Star 7"


async def test_no_face_is_an_answer(world):
    """A photo without a face has its caption and three nulls."""
    world.fake.script = lambda _: analysis(caption="a dog runs")
    response = await world.http.post("/predict", **world.photo(picture()))
    assert response.status_code == 200
    assert response.json() == {
        "caption": "a dog runs",
        "matched_celebrity": None,
        "similarity_score": None,
        "actor_image_url": None,
    }


async def test_public_url(fake):
    """Behind a proxy the portrait's URL is the one that the operator set."""
    async with running_web(fake, web_public_url="https://look.example/") as world:
        answer = (await world.http.post("/predict", **world.photo(picture()))).json()
    assert answer["actor_image_url"] == "https://look.example/celebrities/star-1/portrait"


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "EMPTY_PHOTO", 400),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", 400),
        (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_PIXELS", 413),
        (grpc.StatusCode.INVALID_ARGUMENT, "UNSUPPORTED_FORMAT", 415),
        (grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO", 422),
        (grpc.StatusCode.INVALID_ARGUMENT, "PHOTO_TOO_SMALL", 422),
        (grpc.StatusCode.INTERNAL, "INTERNAL", 500),
    ],
)
async def test_errors_of_the_server(world, code, reason, status):
    """Each reason has its status, as a problem that names it."""
    world.fake.failures = [Failure(code, reason)]
    response = await world.http.post("/predict", **world.photo(b"whatever"))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["reason"] == reason
    assert problem["type"] == f"urn:lookalike:problem:{reason.lower().replace('_', '-')}"
    assert problem["detail"] not in {"", "made up"}


async def test_error_in_the_callers_language(world):
    """The detail is for the person who asked."""
    failure = Failure(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO")
    world.fake.failures = [failure, failure]
    headers = {"Accept-Language": "de, en;q=0.5"}
    german = await world.http.post("/predict", headers=headers, **world.photo(b"x"))
    english = await world.http.post("/predict", **world.photo(b"x"))
    assert german.json()["detail"] != english.json()["detail"]
    assert german.json()["reason"] == english.json()["reason"]


async def test_overload_names_the_wait(fake):
    """RESOURCE_EXHAUSTED becomes 503 with the server's RetryInfo as Retry-After."""
    async with running_web(fake, deadline_s=0.5) as world:
        fake.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "full", 6.2)]
        response = await world.http.post("/predict", **world.photo(picture()))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "7"


async def test_server_away(fake):
    """A model server that is not there is 503 with Retry-After."""
    async with running_web(fake, server="127.0.0.1:1", deadline_s=0.3) as world:
        response = await world.http.post("/predict", **world.photo(picture()))
    assert response.status_code in {503, 504}
    assert response.json()["reason"]


async def test_openapi_describes_it(world):
    """The description names the file, the four values and the problems."""
    description = (await world.http.get("/openapi.json")).json()
    predict = description["paths"]["/predict"]["post"]
    form = predict["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]
    assert form["properties"]["file"]["format"] == "binary"
    assert set(predict["responses"]) == {"200", "400", "413", "415", "422", "429", "503"}
    assert "application/problem+json" in predict["responses"]["413"]["content"]
    values = description["components"]["schemas"]["Prediction"]["properties"]
    assert set(values) == {
        "caption",
        "matched_celebrity",
        "similarity_score",
        "actor_image_url",
    }
