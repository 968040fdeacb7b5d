"""Decoding with limits, and the preprocessing that serving and training share."""

import contextlib
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from model_server.errors import (
    BundleError,
    CorruptPhotoError,
    EmptyPhotoError,
    InvalidPhotoError,
    PhotoTooLargeError,
    PhotoTooSmallError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from model_server.imaging import (
    Preprocessing,
    adapt_tone,
    decode,
    preprocess,
    smooth_colours,
    sniff,
)
from model_server.limits import MOST_PIXELS, ImageLimits

ORIENTATION = 0x0112


def gradient(width=64, height=48):
    """Red grows to the right, green downwards, blue is constant."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    pixels[..., 2] = 128
    return Image.fromarray(pixels)


def encoded(picture, file_format, **options):
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def heif(picture):
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=90)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_every_format_is_sniffed_and_decoded(file_format):
    """The pixels of each format come back in RGB, the right way up."""
    data = encoded(gradient(), file_format)
    assert sniff(data) == file_format
    photo = decode(data)
    assert (photo.width, photo.height) == (64, 48)
    assert photo.pixels.shape == (48, 64, 3)
    assert photo.pixels[24, 60, 0] > 200 > photo.pixels[24, 3, 0]
    assert photo.pixels[44, 32, 1] > 200 > photo.pixels[3, 32, 1]


def test_heic_is_decoded():
    """iPhones' own format works like the others."""
    data = heif(gradient())
    assert sniff(data) == "HEIF"
    assert decode(data).pixels.shape == (48, 64, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """However the camera was held, the photo is upright."""
    upright = gradient()
    turned = {
        1: lambda p: p,
        2: lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
        4: lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
        6: lambda p: p.transpose(Image.Transpose.ROTATE_90),
        7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
        8: lambda p: p.transpose(Image.Transpose.ROTATE_270),
    }[orientation](upright)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = decode(encoded(turned, "PNG", exif=exif))
    assert (photo.width, photo.height) == (64, 48)
    np.testing.assert_array_equal(photo.pixels, np.asarray(upright))


def test_cmyk_with_exif_rotation():
    """A print-ready JPEG from a rotated camera comes out upright and in RGB."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = gradient().transpose(Image.Transpose.ROTATE_90).convert("CMYK")
    photo = decode(encoded(turned, "JPEG", exif=exif, quality=95))
    assert (photo.width, photo.height) == (64, 48)
    difference = np.abs(photo.pixels.astype(int) - np.asarray(gradient()).astype(int))
    assert difference.mean() < 6


def test_transparency_is_laid_over_white():
    """What is transparent shows as white, not as the colour hidden below."""
    layer = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    layer.paste((0, 0, 255, 255), (0, 0, 16, 32))
    pixels = decode(encoded(layer, "PNG")).pixels
    assert pixels[10, 20].tolist() == [255, 255, 255]
    assert pixels[10, 5].tolist() == [0, 0, 255]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1"])
def test_few_colours(mode):
    """Grey, palette and black-and-white pictures become RGB."""
    assert decode(encoded(gradient().convert(mode), "PNG")).pixels.shape == (48, 64, 3)


def test_sixteen_bits_keep_their_range():
    """16-bit grey is scaled down; plain conversion would clip it to white."""
    values = np.linspace(0, 65535, 64, dtype=np.uint16)[None, :].repeat(32, 0)
    pixels = decode(encoded(Image.fromarray(values), "PNG")).pixels
    assert pixels[0, 0, 0] == 0
    assert 120 < pixels[0, 32, 0] < 136
    assert pixels[0, 63, 0] == 255


def test_first_frame_of_an_animation():
    """Of an animated GIF the first frame is taken."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).pixels[16, 16].tolist() == [255, 0, 0]


def test_large_photos_are_decoded_at_reduced_scale():
    """The size reported is the full one, the pixels are few, the scale connects both."""
    photo = decode(encoded(gradient(4000, 3000), "JPEG"))
    assert (photo.width, photo.height) == (4000, 3000)
    assert max(photo.pixels.shape) == 1600
    assert photo.scale == pytest.approx(2.5)


def test_large_photos_turned_by_exif():
    """The full size is that of the upright photo also when it is reduced."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photo = decode(encoded(gradient(4000, 3000), "JPEG", exif=exif))
    assert (photo.width, photo.height) == (3000, 4000)
    assert photo.pixels.shape == (1600, 1200, 3)


def test_a_large_photo_with_transparency_is_reduced():
    """Colours, white below and full size are those of the whole photo, whatever its mode."""
    layer = gradient(3999, 2003).convert("RGBA")
    layer.paste((255, 0, 0, 0), (0, 1500, 3999, 2003))
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    data = encoded(layer, "PNG", exif=exif, compress_level=1)
    photo = decode(data, ImageLimits(working_side=400))
    assert (photo.width, photo.height) == (3999, 2003)
    upright = Image.new("RGB", layer.size, "white")
    upright.paste(layer, mask=layer)
    expected = np.asarray(upright.resize((400, 200)).transpose(Image.Transpose.ROTATE_180))
    np.testing.assert_allclose(photo.pixels[60:], expected[60:], atol=3)
    np.testing.assert_array_equal(photo.pixels[:48], 255)


MEMORY = """
import io, resource
from PIL import Image
from model_server.imaging import decode
from model_server.limits import ImageLimits

buffer = io.BytesIO()
Image.new("RGBA", (100, 100)).save(buffer, "PNG")
decode(buffer.getvalue())
buffer = io.BytesIO()
Image.new({mode!r}, (4000, 4000)).save(buffer, "PNG", compress_level=1, **{options!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(buffer.getvalue(), ImageLimits(working_side=400))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in KiB, as Linux does")
@pytest.mark.parametrize(
    ("mode", "options"), [("RGBA", {}), ("P", {"transparency": 0}), ("I;16", {})]
)
def test_a_small_file_does_not_take_all_the_memory(mode, options):
    """A picture of one colour takes little more than its pixels, 64 MB in RGBA."""
    code = MEMORY.format(mode=mode, options=options)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert float(result.stdout) < 100


def test_pillow_opens_what_the_limits_can_allow():
    """A limit that Pillow has for itself would be refused in its own words."""
    assert MOST_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyPhotoError),
        (b"This is a letter, not a photo.", UnsupportedFormatError),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", UnsupportedFormatError),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormatError),
        (b"\xff\xd8\xff\xe0" + bytes(50), CorruptPhotoError),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), CorruptPhotoError),
        (png_header(30_000, 30_000), TooManyPixelsError),
        (png_header(12_000, 10_000), TooManyPixelsError),
        (b"\xff\xd8\xff" + bytes(25 * 2**20), PhotoTooLargeError),
    ],
    ids=["empty", "text", "pdf", "svg", "jpeg", "png", "bomb", "too-many-pixels", "25MiB"],
)
def test_bad_bytes_are_told_apart(data, error):
    """Each kind of bad input has an error of its own, with advice."""
    with pytest.raises(error, match=r"send"):
        decode(data)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_truncated_files(file_format, share):
    """Half a file is an error, never half a picture."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), file_format)
    with pytest.raises(InvalidPhotoError):
        decode(data[: int(len(data) * share)])


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it can still read
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_damaged_files_never_raise_anything_else(file_format):
    """Whatever bytes are wrong, the file is decoded or refused with one of our errors."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    good = np.frombuffer(encoded(Image.fromarray(noise), file_format), np.uint8)
    for number in range(200):
        damaged = good.copy()
        reach = min(len(good), 400) if number % 2 else len(good)
        damaged[rng.integers(4, reach, 20)] = rng.integers(0, 256, 20)
        with contextlib.suppress(InvalidPhotoError):
            decode(damaged.tobytes())


def test_one_pixel_is_too_small():
    """A 1 x 1 picture is refused with the size that is needed."""
    with pytest.raises(PhotoTooSmallError, match="16"):
        decode(encoded(Image.new("RGB", (1, 1)), "PNG"))


@pytest.mark.parametrize(("size", "halved"), [((1280, 960), True), ((640, 440), False)])
def test_large_photos_come_once_more_at_half_the_size(size, halved):
    """The mean of each four pixels; small photos have no pixels to spare."""
    photo = decode(encoded(gradient(*size), "PNG"))
    expected = photo.pixels
    if halved:
        fours = photo.pixels.reshape(size[1] // 2, 2, size[0] // 2, 2, 3)
        expected = fours.mean((1, 3))
    np.testing.assert_allclose(photo.reduced, expected, atol=1)


def test_limits_can_be_set():
    """The operator's limits are the ones that count."""
    data = encoded(gradient(), "PNG")
    with pytest.raises(TooManyPixelsError):
        decode(data, ImageLimits(max_pixels=1000))
    with pytest.raises(PhotoTooLargeError):
        decode(data, ImageLimits(max_bytes=100))


def test_preprocessing_golden():
    """The exact numbers that every shipped network was trained with; they never change."""
    spec = Preprocessing(4, 4, "BGR", mean=(104, 117, 123), std=(1, 2, 4))
    result = preprocess(np.asarray(gradient(16, 8)), spec)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    assert result.shape == (3, 4, 4)
    np.testing.assert_allclose(result[0], 24.0)  # blue first: 128 - 104
    np.testing.assert_array_equal(result[1, :, 0], [-45.5, -13.0, 23.5, 56.0])
    np.testing.assert_array_equal(result[2, 0], [-22.75, -7.25, 9.75, 25.0])


def test_adapted_tones():
    """Half the light gives the same values, burnt-out light nearly; the median gives 115."""
    face = np.asarray(gradient(60, 60)) // 2 + 40
    lit = adapt_tone(face, 1.2)
    assert lit.dtype == np.float32
    assert lit.shape == face.shape
    luminance = face[12:48, 12:48] @ [0.299, 0.587, 0.114]
    median = round(float(np.median(luminance)))
    np.testing.assert_allclose(lit[face == median], 115, atol=1)
    np.testing.assert_allclose(lit[face == median // 2], 57.5, atol=1)
    np.testing.assert_allclose(adapt_tone((face // 2).astype(np.uint8), 1.2), lit, atol=2)
    burnt = np.minimum(face.astype(float) * 1.6, 255).astype(np.uint8)
    assert (burnt == 255).mean() > 0.02
    errors = [np.abs(adapt_tone(burnt, s) - adapt_tone(face, s)).max() for s in (1.2, 0.5)]
    assert errors[0] < 20
    assert errors[1] < errors[0] / 2
    assert adapt_tone(burnt, 0.5).max() < 115 * 1.5
    # As the spec says, and only then.
    spec = Preprocessing(60, 60, tone="adapted")
    np.testing.assert_array_equal(preprocess(face, spec), lit.transpose(2, 0, 1))
    np.testing.assert_array_equal(preprocess(face, Preprocessing(60, 60))[0], face[:, :, 0])


def test_smoothing_takes_what_is_finer_than_a_face():
    """Noise of single pixels all but goes, a slope stays; without it nothing changes."""
    slope = np.tile(np.arange(40, 160, 2, dtype=np.uint8)[None, :, None], (60, 1, 3))
    noise = np.random.default_rng(0).integers(-20, 21, slope.shape)
    noisy = (slope + noise).astype(np.uint8)
    smooth = preprocess(noisy, Preprocessing(60, 60, smoothing=1.2))
    rest = (smooth - slope.transpose(2, 0, 1))[:, 5:-5, 5:-5]
    assert np.abs(rest).mean() < np.abs(noise).mean() / 3
    np.testing.assert_array_equal(
        preprocess(noisy, Preprocessing(60, 60)), noisy.transpose(2, 0, 1)
    )


def test_smooth_colours():
    """Noise of the colours goes, the luminance stays; the spec applies it after the tones."""
    grey = np.asarray(gradient(60, 60)).mean(2, keepdims=True).repeat(3, 2).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 8, grey.shape).astype(np.float32)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    noise -= (noise @ weights)[..., None]
    smooth = smooth_colours(grey + noise, 4.0)
    np.testing.assert_allclose(smooth @ weights, grey @ weights, atol=1e-3)
    assert np.abs(smooth - grey).mean() < np.abs(noise).mean() / 8
    face = (grey + noise).clip(0, 255).astype(np.uint8)
    spec = Preprocessing(60, 60, tone="adapted", shoulder=0.5, colour_smoothing=4.0)
    expected = smooth_colours(adapt_tone(face, 0.5), 4.0)
    np.testing.assert_array_equal(preprocess(face, spec), expected.transpose(2, 0, 1))


def test_the_tone_of_a_black_picture():
    """Noise in the dark stays dark instead of becoming a face."""
    assert adapt_tone(np.ones((20, 20, 3), np.uint8), 0.5).max() < 30


def test_preprocessing_travels_in_the_manifest():
    """What a bundle stores is what is read back."""
    spec = Preprocessing(
        *(260, 260, "RGB", (127, 127, 127), (128, 128, 128), "adapted"),
        shoulder=0.5,
        smoothing=1.2,
        colour_smoothing=4.0,
    )
    assert Preprocessing.from_manifest(spec.to_manifest()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"channels": "RBG"},
        {"mean": [1, 2]},
        {"crop": "centre"},
        {"std": None},
        {"tone": "warm"},
        {"smoothing": -1.0},
        {"smoothing": "much"},
        {"colour_smoothing": -1.0},
        {"shoulder": 0.0},
    ],
)
def test_unknown_preprocessing_is_refused(change):
    """A bundle that asks for what we do not do is not loaded."""
    with pytest.raises(BundleError, match="preprocessing"):
        Preprocessing.from_manifest({**Preprocessing().to_manifest(), **change})
