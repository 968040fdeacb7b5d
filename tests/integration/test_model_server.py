"""The real server process with the shipped models: the whole way of a photo."""

import io
import json
import re
import signal
import struct
import subprocess
import sys
import time
import zlib

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from PIL import Image, ImageDraw

from benchmarks.photos import jpeg, sample_photo
from lookalike.v1 import celebrity_pb2, celebrity_pb2_grpc, photo_pb2, photo_pb2_grpc
from model_server.bundle import BUNDLES
from tests.support.model_server import ModelServerProcess


@pytest.fixture(scope="module")
def channel(model_server):
    options = [("grpc.max_send_message_length", 32 * 2**20)]
    with grpc.insecure_channel(model_server.address, options) as channel:
        yield channel


@pytest.fixture(scope="module")
def photos(channel):
    return photo_pb2_grpc.PhotoServiceStub(channel)


@pytest.fixture(scope="module")
def celebrities(channel):
    return celebrity_pb2_grpc.CelebrityServiceStub(channel)


def analyze(photos, picture, **options):
    photo = picture if isinstance(picture, bytes) else jpeg(picture)
    options = photo_pb2.MatchOptions(**options)
    return photos.AnalyzePhoto(photo_pb2.AnalyzePhotoRequest(photo=photo, match_options=options))


def head():
    return sample_photo().crop((130, 0, 320, 210))


def group(count):
    picture = Image.new("RGB", (1280, 960), (105, 120, 110))
    small = head().resize((114, 126))
    for number in range(count):
        picture.paste(small, (20 + 208 * (number % 6), 30 + 180 * (number // 6)))
    return picture


def reason_of(error):
    info = error_details_pb2.ErrorInfo()
    for packed in rpc_status.from_call(error).details:
        if packed.Unpack(info):
            return info.reason
    return None


def test_everything_about_the_sample_photo(photos):
    """Caption, one face where it is, a description with attributes, matches in order."""
    answer = analyze(photos, sample_photo(), max_matches=5, include_crops=True)
    assert len(answer.caption.text.split()) >= 4
    assert answer.caption.log_probability < 0
    assert 0 <= answer.nsfw_score < 0.5
    assert (answer.image_size.width, answer.image_size.height) == (512, 512)
    [face] = answer.faces
    assert abs(face.box.x + face.box.width / 2 - 225) < 12
    assert face.quality > 0.5
    assert face.attributes
    assert face.caption.text
    likeness = [match.similarity.likeness for match in face.matches]
    assert len(likeness) == 5
    assert likeness == sorted(likeness, reverse=True)
    assert all(0 <= value <= 100 for value in likeness)
    assert len({match.celebrity.name for match in face.matches}) == 5
    assert Image.open(io.BytesIO(face.crop)).format == "JPEG"
    stages = {"queue", "decode", "detect", "embed", "search", "caption", "describe", "total"}
    assert set(answer.processing_info.timings_ms) == stages
    assert set(answer.processing_info.model_versions) == {"detector", "embedder", "photos", "faces"}


def test_different_photos_have_different_captions(photos):
    """The usual bug of captioners, one caption for everything, is not here."""
    import skimage.data

    pictures = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    captions = {analyze(photos, Image.fromarray(p)).caption.text for p in pictures}
    assert len(captions) == 3


def test_the_parts_agree_with_the_whole(photos):
    """DescribePhoto and MatchFaces say what AnalyzePhoto says."""
    photo = jpeg(sample_photo())
    whole = analyze(photos, photo)
    described = photos.DescribePhoto(photo_pb2.DescribePhotoRequest(photo=photo))
    matched = photos.MatchFaces(photo_pb2.MatchFacesRequest(photo=photo))
    assert described.caption.text == whole.caption.text
    assert matched.faces[0].matches[0] == whole.faces[0].matches[0]
    assert matched.faces[0].caption.text == ""


def test_compare_a_person_with_themselves_and_with_nobody(photos):
    """The same face under another photo is the same person; no face is a clear error."""
    one, other = jpeg(sample_photo()), jpeg(sample_photo().rotate(15).resize((400, 400)))
    result = photos.CompareFaces(photo_pb2.CompareFacesRequest(first_photo=one, second_photo=other))
    assert result.similarity.same_person_probability > 0.9
    with pytest.raises(grpc.RpcError) as caught:
        photos.CompareFaces(
            photo_pb2.CompareFacesRequest(
                first_photo=one, second_photo=jpeg(Image.new("RGB", (200, 200)))
            )
        )
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(caught.value) == "NO_FACE"
    assert "second" in caught.value.details()


def test_several_photos_of_one_person(photos):
    """Together they are answered once; a photo of nobody is refused with its number."""
    first, second = jpeg(sample_photo()), jpeg(head().rotate(8))
    answer = photos.MatchFaces(
        photo_pb2.MatchFacesRequest(photo=first, additional_photos=[second, first])
    )
    [face] = answer.faces
    assert len(face.matches) == 5
    assert len(answer.additional_faces) == 2
    assert not any(other.matches for other in answer.additional_faces)
    nobody = jpeg(Image.new("RGB", (320, 240), "grey"))
    with pytest.raises(grpc.RpcError) as caught:
        photos.MatchFaces(
            photo_pb2.MatchFacesRequest(photo=first, additional_photos=[second, nobody])
        )
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert reason_of(caught.value) == "NO_FACE"
    assert "photo 3" in caught.value.details()


@pytest.mark.parametrize(
    "picture",
    [Image.new("RGB", (640, 480)), Image.new("RGB", (16, 16), "white")],
    ids=["black", "tiny"],
)
def test_no_face_is_a_result(photos, picture):
    """A photo without a face has a caption and no faces."""
    answer = analyze(photos, picture)
    assert answer.caption.text
    assert list(answer.faces) == []


def test_thirty_faces(photos):
    """All faces of a group, when they are asked for; ten by default."""
    assert len(analyze(photos, group(30), max_faces=30, max_matches=1).faces) == 30
    assert len(analyze(photos, group(30), max_matches=1).faces) == 10


def test_a_cartoon_face_does_no_harm(photos):
    """A drawn face is described or not, but answered."""
    picture = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((80, 60, 320, 340), fill=(255, 220, 180), outline="black", width=4)
    for x in (150, 250):
        draw.ellipse((x - 15, 150, x + 15, 180), fill="black")
    draw.arc((140, 200, 260, 290), 20, 160, fill="red", width=6)
    answer = analyze(photos, picture)
    assert answer.caption.text
    assert len(answer.faces) <= 1


def png_bomb():
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(90_001) * 30, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows)


def animation():
    frames = [head().resize((190, 210)), Image.new("RGB", (190, 210))]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def print_ready():
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    turned = sample_photo().transpose(Image.Transpose.ROTATE_90).convert("CMYK")
    turned.save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize("photo", [animation(), print_ready()], ids=["gif", "cmyk-rotated"])
def test_odd_but_good_photos(photos, photo):
    """An animation's first frame, and a CMYK photo of a rotated camera, show their face."""
    assert len(analyze(photos, photo).faces) == 1


@pytest.mark.parametrize(
    ("photo", "code", "reason"),
    [
        (b"", "INVALID_ARGUMENT", "EMPTY_PHOTO"),
        (b"hello", "INVALID_ARGUMENT", "UNSUPPORTED_FORMAT"),
        (b"%PDF-1.4 \x00", "INVALID_ARGUMENT", "UNSUPPORTED_FORMAT"),
        (jpeg(head())[:3000], "INVALID_ARGUMENT", "CORRUPT_PHOTO"),
        (jpeg(Image.new("RGB", (1, 1))), "INVALID_ARGUMENT", "PHOTO_TOO_SMALL"),
        (png_bomb(), "INVALID_ARGUMENT", "TOO_MANY_PIXELS"),
        (b"\xff\xd8\xff" + bytes(22 * 2**20), "INVALID_ARGUMENT", "PHOTO_TOO_LARGE"),
        # Beyond the message limit gRPC itself refuses, before anything is read into a photo.
        (b"\xff\xd8\xff" + bytes(25 * 2**20), "RESOURCE_EXHAUSTED", None),
    ],
    ids=["empty", "text", "pdf", "truncated", "1x1", "bomb", "22MiB", "25MiB"],
)
def test_bad_photos(photos, photo, code, reason):
    """Each has its status and its reason, and the server lives on."""
    with pytest.raises(grpc.RpcError) as caught:
        analyze(photos, photo)
    assert caught.value.code().name == code
    if reason:
        assert reason_of(caught.value) == reason
    assert photos.DescribePhoto(photo_pb2.DescribePhotoRequest(photo=jpeg(head()))).caption.text


def test_a_celebrity_from_beginning_to_end(photos, celebrities):
    """Created, found by its face, listed, changed, portrayed, deleted."""
    photo = celebrity_pb2.CelebrityPhoto(content=jpeg(sample_photo()), keep_picture=True)
    request = celebrity_pb2.CreateCelebrityRequest(
        celebrity=celebrity_pb2.Celebrity(display_name="Éileen Example", tags=["field:astronaut"]),
        photos=[photo],
    )
    name = celebrities.CreateCelebrity(request).celebrity.name
    assert name == "celebrities/eileen-example"
    try:
        [face] = analyze(photos, sample_photo().rotate(8)).faces
        assert face.matches[0].celebrity.name == name
        assert face.matches[0].similarity.same_person_probability > 0.9
        tagged = analyze(photos, sample_photo(), required_tags=["field:astronaut"]).faces[0]
        assert [match.celebrity.name for match in tagged.matches] == [name]
        with pytest.raises(grpc.RpcError) as caught:
            celebrities.CreateCelebrity(request)
        assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
        listed = celebrities.ListCelebrities(
            celebrity_pb2.ListCelebritiesRequest(query="eileen ex")
        )
        assert [celebrity.name for celebrity in listed.celebrities] == [name]
        portrait = celebrities.GetCelebrityPortrait(
            celebrity_pb2.GetCelebrityPortraitRequest(name=name, width_px=250)
        )
        assert portrait.source == celebrity_pb2.PORTRAIT_SOURCE_GALLERY
        Image.open(io.BytesIO(portrait.image)).verify()
    finally:
        celebrities.DeleteCelebrity(celebrity_pb2.DeleteCelebrityRequest(name=name))
    with pytest.raises(grpc.RpcError) as caught:
        celebrities.GetCelebrity(celebrity_pb2.GetCelebrityRequest(name=name))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_the_seed_gallery_can_be_paged(celebrities):
    """Everyone once, in order, over pages; a made-up token is refused."""
    names, token = [], ""
    while True:
        page = celebrities.ListCelebrities(
            celebrity_pb2.ListCelebritiesRequest(page_size=1000, page_token=token)
        )
        names += [celebrity.name for celebrity in page.celebrities]
        token = page.next_page_token
        if not token:
            break
    assert len(names) == len(set(names)) == page.total_size > 5000
    with pytest.raises(grpc.RpcError) as caught:
        celebrities.ListCelebrities(celebrity_pb2.ListCelebritiesRequest(page_token="made-up"))
    assert reason_of(caught.value) == "INVALID_PAGE_TOKEN"


def test_the_log_holds_nothing_of_a_photo(model_server, photos):
    """One JSON line a call: method, code, size, time."""
    analyze(photos, sample_photo())
    time.sleep(0.2)
    lines = [json.loads(line) for line in model_server.log().splitlines()]
    calls = [line for line in lines if line["logger"] == "lookalike.calls"]
    assert calls
    allowed = {"time", "level", "logger", "message", "method", "code", "duration_ms"}
    assert all(set(line) <= allowed | {"request_bytes"} for line in calls)


class TestProcess:
    """How the process starts, refuses to start, and stops."""

    def test_sigterm_in_the_middle_of_a_call(self, tmp_path):
        """The running call gets its answer, then the process ends with status 0."""
        with ModelServerProcess(tmp_path).wait_until_serving() as server:
            with grpc.insecure_channel(server.address) as channel:
                stub = photo_pb2_grpc.PhotoServiceStub(channel)
                request = photo_pb2.AnalyzePhotoRequest(photo=jpeg(group(30)))
                call = stub.AnalyzePhoto.future(request)
                time.sleep(0.15)
                server.process.send_signal(signal.SIGTERM)
                assert call.result(timeout=30).faces
            assert server.stop() == 0
            messages = [json.loads(line)["message"] for line in server.log().splitlines()]
            assert messages[-2:] == ["draining", "call"]

    def test_a_damaged_bundle_is_named(self, tmp_path):
        """The server does not start with half a model; it says which file."""
        bundles = tmp_path / "bundles"
        bundles.mkdir()
        for bundle in BUNDLES.iterdir():
            if bundle.name != "photos":
                (bundles / bundle.name).symlink_to(bundle)
        (bundles / "photos").mkdir()
        for file in (BUNDLES / "photos").iterdir():
            (bundles / "photos" / file.name).symlink_to(file)
        damaged = bundles / "photos" / "vocab.json"
        damaged.unlink()
        damaged.write_text("{}")
        result = run_server(tmp_path, LOOKALIKE_BUNDLES_DIR=str(bundles))
        assert result.returncode == 1
        assert "photos/vocab.json" in result.stderr

    def test_a_data_directory_that_cannot_be_made(self, tmp_path):
        """The message names the setting that helps."""
        (tmp_path / "file").write_text("not a folder")
        result = run_server(tmp_path, LOOKALIKE_DATA_DIR=str(tmp_path / "file" / "data"))
        assert result.returncode == 1
        assert "LOOKALIKE_DATA_DIR" in result.stderr

    def test_a_setting_that_cannot_be_meant(self, tmp_path):
        """Status 2 and the variable's name, no traceback."""
        result = run_server(tmp_path, LOOKALIKE_MAX_IN_FLIGHT="none")
        assert result.returncode == 2
        assert "LOOKALIKE_MAX_IN_FLIGHT" in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_port_that_is_taken(self, tmp_path, model_server):
        """A second server on the same port says so and ends."""
        result = run_server(tmp_path, "--port", str(model_server.port))
        assert result.returncode == 1
        assert re.search("cannot start", result.stderr)


def run_server(folder, *arguments, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-m", "model_server", "--port", "0", *arguments],
        env={**os.environ, "LOOKALIKE_DATA_DIR": str(folder / "data"), **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_random_bytes_never_break_the_server(photos):
    """Damaged headers of every format are refused, one after the other, without a crash."""
    rng = np.random.default_rng(0)
    for picture_format in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        buffer = io.BytesIO()
        head().save(buffer, picture_format)
        good = np.frombuffer(buffer.getvalue(), np.uint8)
        for _ in range(6):
            damaged = good.copy()
            damaged[rng.integers(4, len(good), 30)] = rng.integers(0, 256, 30)
            call = photos.DescribePhoto.future(
                photo_pb2.DescribePhotoRequest(photo=damaged.tobytes())
            )
            assert call.code() in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
