"""Everything that can go wrong, and the one table from error to gRPC status.

    LookalikeError
    ├── InvalidRequestError          a field is missing or out of range
    │   └── InvalidPageTokenError
    ├── InvalidPhotoError            the bytes are no photo we can use
    │   ├── EmptyPhotoError
    │   ├── UnsupportedFormatError
    │   ├── CorruptPhotoError
    │   ├── PhotoTooLargeError       too many bytes
    │   ├── TooManyPixelsError
    │   └── PhotoTooSmallError
    ├── UnsuitablePhotoError         a good photo, but not for this
    │   ├── NoFaceError
    │   ├── SeveralFacesError
    │   ├── PoorFaceError            too small, blurred or turned away to enrol
    │   ├── WrongPersonError
    │   └── DuplicatePhotoError
    ├── CelebrityNotFoundError
    ├── CelebrityExistsError
    ├── UnauthenticatedError
    ├── PermissionDeniedError
    ├── OverloadedError              try again later
    ├── NotReadyError                models are still loading, or the server is stopping
    ├── GalleryUnavailableError      the database does not answer, or its disk is full
    ├── BundleError                  a model's files are missing, damaged or do not fit
    └── GalleryMismatchError         the gallery was made with another embedder

Messages are for the person at the other end: what is wrong, and what to do.
They never quote a photo, a token or a path of the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import grpc

__all__ = [
    "ERROR_DOMAIN",
    "STATUS_CODES",
    "BundleError",
    "CelebrityExistsError",
    "CelebrityNotFoundError",
    "CorruptPhotoError",
    "DuplicatePhotoError",
    "EmptyPhotoError",
    "GalleryMismatchError",
    "GalleryUnavailableError",
    "InvalidPageTokenError",
    "InvalidPhotoError",
    "InvalidRequestError",
    "LookalikeError",
    "NoFaceError",
    "NotReadyError",
    "OverloadedError",
    "PermissionDeniedError",
    "PhotoTooLargeError",
    "PhotoTooSmallError",
    "PoorFaceError",
    "SeveralFacesError",
    "TooManyPixelsError",
    "UnauthenticatedError",
    "UnsuitablePhotoError",
    "UnsupportedFormatError",
    "WrongPersonError",
    "status_code",
]

ERROR_DOMAIN = "lookalike"


class LookalikeError(Exception):
    """Base of all errors of the model server.

    Args:
        message: What is wrong and what to do about it, for the caller to read.
        retry_after_s: Seconds after which the same call may succeed, if ever.
        metadata: Facts for programs, sent along in the ErrorInfo.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})


class InvalidRequestError(LookalikeError):
    """A field of the request is missing or out of range."""

    reason = "INVALID_REQUEST"


class InvalidPageTokenError(InvalidRequestError):
    """The page token is not one that the server gave for this list."""

    reason = "INVALID_PAGE_TOKEN"


class InvalidPhotoError(LookalikeError):
    """The bytes are no photo that we can use."""

    reason = "INVALID_PHOTO"


class EmptyPhotoError(InvalidPhotoError):
    """There are no bytes."""

    reason = "EMPTY_PHOTO"


class UnsupportedFormatError(InvalidPhotoError):
    """The bytes are of a format that we do not read."""

    reason = "UNSUPPORTED_FORMAT"


class CorruptPhotoError(InvalidPhotoError):
    """The file is truncated or damaged."""

    reason = "CORRUPT_PHOTO"


class PhotoTooLargeError(InvalidPhotoError):
    """The file has too many bytes."""

    reason = "PHOTO_TOO_LARGE"


class TooManyPixelsError(InvalidPhotoError):
    """The picture has too many pixels."""

    reason = "TOO_MANY_PIXELS"


class PhotoTooSmallError(InvalidPhotoError):
    """The picture has too few pixels."""

    reason = "PHOTO_TOO_SMALL"


class UnsuitablePhotoError(LookalikeError):
    """A good photo, but not for what was asked."""

    reason = "UNSUITABLE_PHOTO"


class NoFaceError(UnsuitablePhotoError):
    """The photo shows no face where one is needed."""

    reason = "NO_FACE"


class SeveralFacesError(UnsuitablePhotoError):
    """The photo shows several faces where one is needed."""

    reason = "SEVERAL_FACES"


class PoorFaceError(UnsuitablePhotoError):
    """The face is too small, blurred or turned away."""

    reason = "POOR_FACE"


class WrongPersonError(UnsuitablePhotoError):
    """The face is far from the person's other faces."""

    reason = "WRONG_PERSON"


class DuplicatePhotoError(UnsuitablePhotoError):
    """The same face photo is enrolled already."""

    reason = "DUPLICATE_PHOTO"


class CelebrityNotFoundError(LookalikeError):
    """There is no such celebrity."""

    reason = "CELEBRITY_NOT_FOUND"


class CelebrityExistsError(LookalikeError):
    """The celebrity's id is taken."""

    reason = "CELEBRITY_EXISTS"


class UnauthenticatedError(LookalikeError):
    """The call carries no valid token."""

    reason = "UNAUTHENTICATED"


class PermissionDeniedError(LookalikeError):
    """The token does not allow this call."""

    reason = "PERMISSION_DENIED"


class OverloadedError(LookalikeError):
    """More calls are waiting than the server admits."""

    reason = "OVERLOADED"


class NotReadyError(LookalikeError):
    """Models are still loading, or the server is stopping."""

    reason = "NOT_READY"


class GalleryUnavailableError(LookalikeError):
    """The gallery's database does not answer or cannot be written."""

    reason = "GALLERY_UNAVAILABLE"


class BundleError(LookalikeError):
    """A model's files are missing, damaged or do not fit together."""

    reason = "BUNDLE_INVALID"


class GalleryMismatchError(LookalikeError):
    """The gallery holds embeddings of another embedder."""

    reason = "GALLERY_MISMATCH"


STATUS_CODES: Mapping[type[LookalikeError], grpc.StatusCode] = {
    LookalikeError: grpc.StatusCode.INTERNAL,
    InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidPhotoError: grpc.StatusCode.INVALID_ARGUMENT,
    UnsuitablePhotoError: grpc.StatusCode.FAILED_PRECONDITION,
    DuplicatePhotoError: grpc.StatusCode.ALREADY_EXISTS,
    CelebrityNotFoundError: grpc.StatusCode.NOT_FOUND,
    CelebrityExistsError: grpc.StatusCode.ALREADY_EXISTS,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    OverloadedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotReadyError: grpc.StatusCode.UNAVAILABLE,
    GalleryUnavailableError: grpc.StatusCode.UNAVAILABLE,
    BundleError: grpc.StatusCode.INTERNAL,
    GalleryMismatchError: grpc.StatusCode.FAILED_PRECONDITION,
}
"""The status of each error; a class that is not listed has that of its parent."""


def status_code(error: LookalikeError) -> grpc.StatusCode:
    """Status of ``error``, from the nearest class in :data:`STATUS_CODES`."""
    return next(STATUS_CODES[cls] for cls in type(error).__mro__ if cls in STATUS_CODES)
