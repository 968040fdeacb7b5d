"""CelebrityService over a real channel, with a real gallery and a scripted enroller."""

import asyncio
import contextlib
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc, photo_pb2_grpc
from model_server.admission import Admission
from model_server.analyzer import Enrolment
from model_server.errors import SeveralFacesError
from model_server.metrics import Metrics
from model_server.portraits.portrait import Portrait, PortraitSource
from model_server.server import LookalikeServer
from model_server.services.celebrity import CelebrityService
from model_server.settings import ServerSettings
from model_server.workers import Workers
from tests.support.galleries import face_of, open_gallery, write_seed


class Enroller:
    """Photos say whom they show: "NAME NUMBER"; "crowd" shows several, "slow" waits."""

    def __init__(self):
        self.began = threading.Semaphore(0)
        self.given_up = threading.Event()

    def enrol(self, data, cancelled):
        self.began.release()
        while data == b"slow":
            if cancelled():
                self.given_up.set()
                raise CancelledError
            time.sleep(0.01)
        if data == b"crowd":
            raise SeveralFacesError("3 faces were found", metadata={"faces": "3"})
        name, number = data.decode().split()
        return Enrolment(face_of(name, int(number)).embedding, 0.7, b"head of " + data)


class Portraits:
    """Draws a card for everybody."""

    async def get(self, person, width_px):
        return Portrait(
            f"{person.display_name} {width_px}".encode(),
            "image/png",
            PortraitSource.CARD,
            artist="us",
        )


@pytest.fixture
async def running(tmp_path):
    gallery = open_gallery(
        f"sqlite:///{tmp_path / 'g.sqlite3'}", write_seed(tmp_path / "seed"), follow=False
    )
    admission, enroller = Admission(2), Enroller()
    executor = ThreadPoolExecutor(2, thread_name_prefix="photo")
    workers = Workers(executor, admission, Metrics())
    services = SimpleNamespace(
        photo=photo_pb2_grpc.PhotoServiceServicer(),
        celebrity=CelebrityService(gallery, enroller, Portraits(), workers),
        admission=admission,
    )
    settings = ServerSettings(_env_file=None, port=0, drain_s=1.0)
    server = LookalikeServer(settings, services, Metrics())
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield SimpleNamespace(
            stub=celebrity_pb2_grpc.CelebrityServiceStub(channel),
            enroller=enroller,
            admission=admission,
        )
    await server.drain()
    executor.shutdown()
    gallery.close()


@pytest.fixture
def stub(running):
    return running.stub


@contextlib.asynccontextmanager
async def failing(code, reason):
    """The block fails with this status and reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    assert caught.value.code() == code
    [packed] = [
        detail
        for detail in rpc_status.from_call(caught.value).details
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)
    ]
    info = error_details_pb2.ErrorInfo()
    packed.Unpack(info)
    assert info.reason == reason


def photo(content, *, keep=False):
    return celebrity_pb2.CelebrityPhoto(content=content, keep_picture=keep)


def creation(name="Ada Lovelace", *photos, celebrity_id="", **fields):
    return celebrity_pb2.CreateCelebrityRequest(
        celebrity=celebrity_pb2.Celebrity(display_name=name, **fields),
        celebrity_id=celebrity_id,
        photos=photos,
    )


async def test_a_celebrity_is_created_read_and_deleted(stub):
    """Every field survives the way there and back; what the server sets is set."""
    created = await stub.CreateCelebrity(
        creation(
            "  Ada   Lovelace ",
            photo(b"ada 0", keep=True),
            photo(b"ada 1"),
            aliases=["Countess"],
            tags=["field:math"],
            wikidata_id="Q7259",
            face_count=99,
        )
    )
    ada = created.celebrity
    assert (ada.name, ada.display_name) == ("celebrities/ada-lovelace", "Ada Lovelace")
    assert (ada.aliases, ada.tags, ada.wikidata_id) == (["Countess"], ["field:math"], "Q7259")
    assert (ada.face_count, ada.has_picture) == (2, True)
    assert ada.create_time.seconds > 1_700_000_000
    got = await stub.GetCelebrity(celebrity_pb2.GetCelebrityRequest(name=ada.name))
    assert got.celebrity == ada
    await stub.DeleteCelebrity(celebrity_pb2.DeleteCelebrityRequest(name=ada.name))
    async with failing(grpc.StatusCode.NOT_FOUND, "CELEBRITY_NOT_FOUND"):
        await stub.GetCelebrity(celebrity_pb2.GetCelebrityRequest(name=ada.name))


async def test_mistakes_are_told_apart(stub):
    """Each wrong request has the status and the reason that belong to it."""
    await stub.CreateCelebrity(creation("Ada", photo(b"ada 0")))
    async with failing(grpc.StatusCode.ALREADY_EXISTS, "CELEBRITY_EXISTS"):
        await stub.CreateCelebrity(creation("Ada"))
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.CreateCelebrity(creation("李"))
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.CreateCelebrity(creation("Ada", celebrity_id="Not An Id"))
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.GetCelebrity(celebrity_pb2.GetCelebrityRequest(name="ada"))
    async with failing(grpc.StatusCode.FAILED_PRECONDITION, "SEVERAL_FACES"):
        await stub.CreateCelebrity(creation("Eve", photo(b"crowd")))
    async with failing(grpc.StatusCode.FAILED_PRECONDITION, "WRONG_PERSON"):
        await stub.CreateCelebrity(creation("Eve", photo(b"eve 0"), photo(b"mallory 0")))
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN"):
        await stub.ListCelebrities(celebrity_pb2.ListCelebritiesRequest(page_token="x"))
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.ListCelebrities(celebrity_pb2.ListCelebritiesRequest(page_size=-1))


@pytest.mark.parametrize("name", ["celebrities/", "celebrities/Ada", "celebrities/a\0", "ada"])
async def test_a_name_that_nobody_can_have_is_a_mistake(stub, name):
    """It is not looked for."""
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.GetCelebrity(celebrity_pb2.GetCelebrityRequest(name=name))


async def test_a_query_is_read_as_names_are(stub):
    """Spaces around and between do not count; what no name can hold is a mistake."""
    listed = await stub.ListCelebrities(celebrity_pb2.ListCelebritiesRequest(query=" seed\n one"))
    assert [one.display_name for one in listed.celebrities] == ["Seed One"]
    for wrong in ({"query": "x" * 60_000}, {"required_tags": ["a:b"] * 1000}):
        async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
            await stub.ListCelebrities(celebrity_pb2.ListCelebritiesRequest(**wrong))


async def test_photos_are_added_one_by_one(stub):
    """A further photo of the person counts; the same again or another person's does not."""
    await stub.CreateCelebrity(creation("Ada", photo(b"ada 0")))

    def adding(content, name="celebrities/ada"):
        return celebrity_pb2.AddCelebrityPhotoRequest(name=name, photo=photo(content))

    added = await stub.AddCelebrityPhoto(adding(b"ada 1"))
    assert (added.celebrity.face_count, added.celebrity.has_picture) == (2, False)
    async with failing(grpc.StatusCode.ALREADY_EXISTS, "DUPLICATE_PHOTO"):
        await stub.AddCelebrityPhoto(adding(b"ada 1"))
    async with failing(grpc.StatusCode.FAILED_PRECONDITION, "WRONG_PERSON"):
        await stub.AddCelebrityPhoto(adding(b"eve 1"))
    async with failing(grpc.StatusCode.NOT_FOUND, "CELEBRITY_NOT_FOUND"):
        await stub.AddCelebrityPhoto(adding(b"crowd", "celebrities/nobody"))


async def test_enrolment_takes_a_place_like_any_photo(running):
    """Beyond the limit it is refused with OVERLOADED; what needs no look at a photo goes on."""
    calls = [running.stub.CreateCelebrity(creation("Eve", photo(b"slow"))) for _ in range(2)]
    for _ in calls:
        assert await asyncio.to_thread(running.enroller.began.acquire, timeout=5)
    assert running.admission.in_flight == 2
    async with failing(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"):
        await running.stub.CreateCelebrity(creation("Ada", photo(b"ada 0")))
    await running.stub.CreateCelebrity(creation("Ada"))
    for call in calls:
        call.cancel()


async def test_an_enrolment_that_nobody_waits_for_is_given_up(running):
    """Its place is free again, and the photos after it are not looked at."""
    call = running.stub.CreateCelebrity(creation("Eve", photo(b"slow"), photo(b"eve 0")))
    assert await asyncio.to_thread(running.enroller.began.acquire, timeout=5)
    call.cancel()
    assert await asyncio.to_thread(running.enroller.given_up.wait, 5)
    added = await running.stub.CreateCelebrity(creation("Ada", photo(b"ada 0")))
    assert added.celebrity.face_count == 1
    assert running.admission.in_flight == 0


async def test_enrolment_leaves_the_event_loop_alone(running, monkeypatch):
    """Megabytes are digested where photos are looked at."""
    threads = []

    def digest(content):
        threads.append(threading.current_thread().name)
        return content.decode()

    monkeypatch.setattr("model_server.services.celebrity.photo_digest", digest)
    await running.stub.CreateCelebrity(creation("Ada", photo(b"ada 0")))
    assert [name.partition("_")[0] for name in threads] == ["photo"]


async def test_photos_of_a_new_celebrity_are_bounded(stub):
    """Twenty come with the creation; more are refused before any of them is looked at."""
    photos = [photo(f"ada {number}".encode()) for number in range(20)]
    created = await stub.CreateCelebrity(creation("Ada", *photos))
    assert created.celebrity.face_count == 20
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.CreateCelebrity(creation("Eve", *[photo(b"crowd")] * 21))


async def test_a_mask_names_what_changes(stub):
    """Only the fields of the mask change; fields that cannot be changed are refused."""
    created = await stub.CreateCelebrity(creation("Ada", aliases=["Countess"], tags=["a:b"]))
    given = celebrity_pb2.Celebrity(name=created.celebrity.name, tags=["c:d"])
    changed = await stub.UpdateCelebrity(
        celebrity_pb2.UpdateCelebrityRequest(
            celebrity=given, update_mask=field_mask_pb2.FieldMask(paths=["tags"])
        )
    )
    assert (changed.celebrity.tags, changed.celebrity.aliases) == (["c:d"], ["Countess"])
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.UpdateCelebrity(
            celebrity_pb2.UpdateCelebrityRequest(
                celebrity=given, update_mask=field_mask_pb2.FieldMask(paths=["face_count"])
            )
        )
    # Without a mask everything is replaced, and a name is needed.
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.UpdateCelebrity(celebrity_pb2.UpdateCelebrityRequest(celebrity=given))


async def test_pages_lead_through_the_whole_list(stub):
    """Sizes are honoured, the total is that of all pages, the last page has no token."""
    await stub.CreateCelebrity(creation("Ada"))
    request = celebrity_pb2.ListCelebritiesRequest(page_size=2)
    first = await stub.ListCelebrities(request)
    assert [one.display_name for one in first.celebrities] == ["Ada", "Seed One"]
    assert first.total_size == 3
    request.page_token = first.next_page_token
    second = await stub.ListCelebrities(request)
    assert [one.display_name for one in second.celebrities] == ["Seed Two"]
    assert not second.next_page_token
    everything = await stub.ListCelebrities(celebrity_pb2.ListCelebritiesRequest())
    assert len(everything.celebrities) == 3
    tagged = celebrity_pb2.ListCelebritiesRequest(query="TWO", required_tags=["field:seed"])
    assert (await stub.ListCelebrities(tagged)).total_size == 1


async def test_a_portrait_comes_with_its_credit(stub):
    """The width has a default and a limit; source and artist are handed on."""
    request = celebrity_pb2.GetCelebrityPortraitRequest(name="celebrities/seed-one")
    answer = await stub.GetCelebrityPortrait(request)
    assert answer.image == b"Seed One 330"
    assert (answer.mime_type, answer.source) == (
        "image/png",
        celebrity_pb2.PORTRAIT_SOURCE_CARD,
    )
    assert answer.attribution.artist == "us"
    request.width_px = 5000
    async with failing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"):
        await stub.GetCelebrityPortrait(request)
    async with failing(grpc.StatusCode.NOT_FOUND, "CELEBRITY_NOT_FOUND"):
        await stub.GetCelebrityPortrait(
            celebrity_pb2.GetCelebrityPortraitRequest(name="celebrities/nobody")
        )
