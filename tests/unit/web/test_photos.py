"""What the page asks about photos."""

import base64
import io

import grpc
import pytest
from PIL import Image

from tests.support.fake_server import Failure, analysis, face, picture
from tests.support.web_world import running_web


async def test_everything_about_a_photo(world):
    """Caption, faces from left to right, traits, ten look-alikes each, crops that decode."""
    world.fake.script = lambda _: analysis(face(x=300), face(x=5, first=11))
    answer = (await world.http.post("/api/photos", **world.photo(picture()))).json()
    assert answer["caption"] == "a person smiles"
    assert answer["image_size"] == {"width": 640, "height": 480}
    left, right = answer["faces"]
    assert (left["box"]["x"], right["box"]["x"]) == (5, 300)
    assert left["traits"] == ["oval face", "wavy brown hair"]
    assert [match["id"] for match in left["matches"]] == [f"star-{n}" for n in range(11, 21)]
    assert left["matches"][0]["likeness"] == 90
    kind, _, data = left["crop"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 64)
    assert "Star 1" in answer["speech"]["words"]
    assert answer["timings_ms"]["total"] == 120


@pytest.mark.parametrize(
    ("faces", "language", "hidden", "note"),
    [
        (2, "en", 0, ""),
        (3, "en", 1, "There is 1 more face in the picture."),
        (3, "es", 1, "Hay 1 cara más en la imagen."),
        (30, "en", 9, "There are at least 9 more faces in the picture."),
    ],
)
async def test_faces_that_are_not_shown_are_counted(fake, faces, language, hidden, note):
    """Whoever is in a crowd learns that the answer does not show everybody."""
    fake.script = lambda _: analysis(*(face(x=20 * n) for n in range(faces)))
    async with running_web(fake, max_faces=2) as world:
        headers = {"Cookie": f"language={language}"}
        response = await world.http.post("/api/photos", headers=headers, **world.photo(picture()))
    answer = response.json()
    assert len(answer["faces"]) == 2
    assert (answer["hidden_faces"], answer["hidden_faces_note"]) == (hidden, note)


async def test_traits_in_the_language(world):
    """Face descriptions follow the language of the page."""
    headers = {"Cookie": "language=es"}
    response = await world.http.post("/api/photos", headers=headers, **world.photo(picture()))
    traits = response.json()["faces"][0]["traits"]
    assert len(traits) == 2
    assert "oval face" not in traits


async def test_sensitive_photo_is_marked(world):
    """A high score makes the page veil the photo."""
    world.fake.script = lambda _: analysis(face(), nsfw_score=0.95)
    answer = (await world.http.post("/api/photos", **world.photo(picture()))).json()
    assert answer["sensitive"] is True


async def test_card_of_all_faces_decodes(world):
    """The card is a JPEG."""
    world.fake.script = lambda _: analysis(face(x=5), face(x=300))
    response = await world.http.post("/api/cards", **world.photo(picture()))
    assert response.headers["content-type"] == "image/jpeg"
    card = Image.open(io.BytesIO(response.content))
    card.load()
    assert card.width == 960


async def test_card_of_one_face_and_another_match(world):
    """The card shows the face and the look-alike that were chosen."""
    world.fake.script = lambda _: analysis(face(x=5), face(x=300, first=11))
    await world.http.post("/api/cards?face=1&match=2", **world.photo(picture()))
    asked = [call[1].name for call in world.fake.calls if call[0] == "GetCelebrityPortrait"]
    assert asked == ["celebrities/star-13"]


async def test_no_card_without_a_face(world):
    """Where there is no face, there is nothing to draw."""
    world.fake.script = lambda _: analysis()
    response = await world.http.post("/api/cards", **world.photo(picture()))
    assert response.status_code == 422
    assert response.json()["reason"] == "NO_FACE"


async def test_no_card_of_a_face_that_is_not_there(world):
    """A number beyond the faces is no server error."""
    response = await world.http.post("/api/cards?face=5", **world.photo(picture()))
    assert response.status_code == 422


async def test_comparison(world):
    """Two photos: likeness, words, both faces."""
    files = {"first": ("a", picture("red")), "second": ("b", picture("blue"))}
    answer = (await world.http.post("/api/comparisons", files=files)).json()
    assert answer["likeness"] == 64
    assert "32" in answer["verdict"]
    assert answer["first_crop"].startswith("data:image/jpeg")
    request = next(call[1] for call in world.fake.calls if call[0] == "CompareFaces")
    assert (request.first_photo, request.second_photo) == (picture("red"), picture("blue"))


async def test_comparison_without_a_face(world):
    """No face is the asker's to mend: 422."""
    world.fake.failures = [Failure(grpc.StatusCode.FAILED_PRECONDITION, "NO_FACE")]
    files = {"first": ("a", picture()), "second": ("b", picture())}
    response = await world.http.post("/api/comparisons", files=files)
    assert (response.status_code, response.json()["reason"]) == (422, "NO_FACE")


async def test_comparison_of_photos_too_large_together(world):
    """Each is small enough to be uploaded, both are not for one call: 413 that says which."""
    large = picture() + bytes(13 * 2**20)
    files = {"first": ("a", large), "second": ("b", large)}
    response = await world.http.post("/api/comparisons", files=files)
    assert (response.status_code, response.json()["reason"]) == (413, "PHOTOS_TOO_LARGE")
    assert "Together" in response.json()["detail"]


async def test_rate_limit(fake):
    """More photos than a minute allows are 429 with Retry-After; other requests go on."""
    async with running_web(fake, photos_per_minute=2) as world:
        answers = [await world.http.post("/predict", **world.photo(picture())) for _ in range(3)]
        search = await world.http.get("/celebrities")
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert answers[2].json()["reason"] == "TOO_MANY_REQUESTS"
    assert search.status_code == 200


async def test_clients_behind_a_trusted_proxy(fake):
    """The proxy that the operator trusts tells clients apart."""
    async with running_web(fake, photos_per_minute=1, web_trusted_proxies="127.0.0.1") as world:
        assert await statuses_from(world, "192.0.2.1", "192.0.2.2", "192.0.2.1") == [200, 200, 429]


async def test_forged_addresses(fake):
    """Without a trusted proxy nobody gets more by naming other addresses."""
    async with running_web(fake, photos_per_minute=1) as world:
        assert await statuses_from(world, "192.0.2.1", "192.0.2.2") == [200, 429]


async def statuses_from(world, *addresses):
    responses = [
        await world.http.post(
            "/predict", headers={"X-Forwarded-For": address}, **world.photo(picture())
        )
        for address in addresses
    ]
    return [response.status_code for response in responses]


async def test_nothing_of_a_photo_is_logged(world, caplog):
    """Neither the bytes nor the file's name are in any log line, not even after an error."""
    caplog.set_level("DEBUG")
    world.fake.failures = [Failure(grpc.StatusCode.INTERNAL, "INTERNAL")]
    files = {"file": ("my-secret-name.jpg", b"my-secret-bytes", "image/jpeg")}
    await world.http.post("/predict", files=files)
    await world.http.post("/predict", files=files)
    assert "my-secret" not in caplog.text
