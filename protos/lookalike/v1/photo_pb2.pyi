from lookalike.v1 import celebrity_pb2 as _celebrity_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MatchOptions(_message.Message):
    __slots__ = ("max_faces", "max_matches", "required_tags", "include_crops")
    MAX_FACES_FIELD_NUMBER: _ClassVar[int]
    MAX_MATCHES_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_TAGS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_CROPS_FIELD_NUMBER: _ClassVar[int]
    max_faces: int
    max_matches: int
    required_tags: _containers.RepeatedScalarFieldContainer[str]
    include_crops: bool
    def __init__(self, max_faces: _Optional[int] = ..., max_matches: _Optional[int] = ..., required_tags: _Optional[_Iterable[str]] = ..., include_crops: _Optional[bool] = ...) -> None: ...

class AnalyzePhotoRequest(_message.Message):
    __slots__ = ("photo", "match_options")
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    MATCH_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    photo: bytes
    match_options: MatchOptions
    def __init__(self, photo: _Optional[bytes] = ..., match_options: _Optional[_Union[MatchOptions, _Mapping]] = ...) -> None: ...

class AnalyzePhotoResponse(_message.Message):
    __slots__ = ("caption", "faces", "image_size", "nsfw_score", "processing_info")
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    FACES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    NSFW_SCORE_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_INFO_FIELD_NUMBER: _ClassVar[int]
    caption: Caption
    faces: _containers.RepeatedCompositeFieldContainer[Face]
    image_size: ImageSize
    nsfw_score: float
    processing_info: ProcessingInfo
    def __init__(self, caption: _Optional[_Union[Caption, _Mapping]] = ..., faces: _Optional[_Iterable[_Union[Face, _Mapping]]] = ..., image_size: _Optional[_Union[ImageSize, _Mapping]] = ..., nsfw_score: _Optional[float] = ..., processing_info: _Optional[_Union[ProcessingInfo, _Mapping]] = ...) -> None: ...

class DescribePhotoRequest(_message.Message):
    __slots__ = ("photo",)
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    photo: bytes
    def __init__(self, photo: _Optional[bytes] = ...) -> None: ...

class DescribePhotoResponse(_message.Message):
    __slots__ = ("caption", "nsfw_score", "processing_info")
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    NSFW_SCORE_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_INFO_FIELD_NUMBER: _ClassVar[int]
    caption: Caption
    nsfw_score: float
    processing_info: ProcessingInfo
    def __init__(self, caption: _Optional[_Union[Caption, _Mapping]] = ..., nsfw_score: _Optional[float] = ..., processing_info: _Optional[_Union[ProcessingInfo, _Mapping]] = ...) -> None: ...

class MatchFacesRequest(_message.Message):
    __slots__ = ("photo", "match_options", "additional_photos")
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    MATCH_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_PHOTOS_FIELD_NUMBER: _ClassVar[int]
    photo: bytes
    match_options: MatchOptions
    additional_photos: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, photo: _Optional[bytes] = ..., match_options: _Optional[_Union[MatchOptions, _Mapping]] = ..., additional_photos: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MatchFacesResponse(_message.Message):
    __slots__ = ("faces", "image_size", "processing_info", "additional_faces")
    FACES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_INFO_FIELD_NUMBER: _ClassVar[int]
    ADDITIONAL_FACES_FIELD_NUMBER: _ClassVar[int]
    faces: _containers.RepeatedCompositeFieldContainer[Face]
    image_size: ImageSize
    processing_info: ProcessingInfo
    additional_faces: _containers.RepeatedCompositeFieldContainer[Face]
    def __init__(self, faces: _Optional[_Iterable[_Union[Face, _Mapping]]] = ..., image_size: _Optional[_Union[ImageSize, _Mapping]] = ..., processing_info: _Optional[_Union[ProcessingInfo, _Mapping]] = ..., additional_faces: _Optional[_Iterable[_Union[Face, _Mapping]]] = ...) -> None: ...

class CompareFacesRequest(_message.Message):
    __slots__ = ("first_photo", "second_photo", "include_crops")
    FIRST_PHOTO_FIELD_NUMBER: _ClassVar[int]
    SECOND_PHOTO_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_CROPS_FIELD_NUMBER: _ClassVar[int]
    first_photo: bytes
    second_photo: bytes
    include_crops: bool
    def __init__(self, first_photo: _Optional[bytes] = ..., second_photo: _Optional[bytes] = ..., include_crops: _Optional[bool] = ...) -> None: ...

class CompareFacesResponse(_message.Message):
    __slots__ = ("similarity", "first_face", "second_face", "processing_info")
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    FIRST_FACE_FIELD_NUMBER: _ClassVar[int]
    SECOND_FACE_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_INFO_FIELD_NUMBER: _ClassVar[int]
    similarity: Similarity
    first_face: Face
    second_face: Face
    processing_info: ProcessingInfo
    def __init__(self, similarity: _Optional[_Union[Similarity, _Mapping]] = ..., first_face: _Optional[_Union[Face, _Mapping]] = ..., second_face: _Optional[_Union[Face, _Mapping]] = ..., processing_info: _Optional[_Union[ProcessingInfo, _Mapping]] = ...) -> None: ...

class AnalyzePhotoStreamRequest(_message.Message):
    __slots__ = ("sequence", "request")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    request: AnalyzePhotoRequest
    def __init__(self, sequence: _Optional[int] = ..., request: _Optional[_Union[AnalyzePhotoRequest, _Mapping]] = ...) -> None: ...

class AnalyzePhotoStreamResponse(_message.Message):
    __slots__ = ("sequence", "response", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    response: AnalyzePhotoResponse
    error: PhotoError
    def __init__(self, sequence: _Optional[int] = ..., response: _Optional[_Union[AnalyzePhotoResponse, _Mapping]] = ..., error: _Optional[_Union[PhotoError, _Mapping]] = ...) -> None: ...

class PhotoError(_message.Message):
    __slots__ = ("code", "message", "reason", "retry_after_seconds")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    reason: str
    retry_after_seconds: float
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., retry_after_seconds: _Optional[float] = ...) -> None: ...

class ImageSize(_message.Message):
    __slots__ = ("width", "height")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class BoundingBox(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    width: int
    height: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class Caption(_message.Message):
    __slots__ = ("text", "log_probability")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LOG_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    text: str
    log_probability: float
    def __init__(self, text: _Optional[str] = ..., log_probability: _Optional[float] = ...) -> None: ...

class FaceAttribute(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Face(_message.Message):
    __slots__ = ("box", "landmarks", "detection_score", "quality", "caption", "attributes", "matches", "crop")
    BOX_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    DETECTION_SCORE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    CROP_FIELD_NUMBER: _ClassVar[int]
    box: BoundingBox
    landmarks: _containers.RepeatedCompositeFieldContainer[Point]
    detection_score: float
    quality: float
    caption: Caption
    attributes: _containers.RepeatedCompositeFieldContainer[FaceAttribute]
    matches: _containers.RepeatedCompositeFieldContainer[CelebrityMatch]
    crop: bytes
    def __init__(self, box: _Optional[_Union[BoundingBox, _Mapping]] = ..., landmarks: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., detection_score: _Optional[float] = ..., quality: _Optional[float] = ..., caption: _Optional[_Union[Caption, _Mapping]] = ..., attributes: _Optional[_Iterable[_Union[FaceAttribute, _Mapping]]] = ..., matches: _Optional[_Iterable[_Union[CelebrityMatch, _Mapping]]] = ..., crop: _Optional[bytes] = ...) -> None: ...

class Similarity(_message.Message):
    __slots__ = ("cosine", "likeness", "same_person_probability")
    COSINE_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    SAME_PERSON_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    cosine: float
    likeness: float
    same_person_probability: float
    def __init__(self, cosine: _Optional[float] = ..., likeness: _Optional[float] = ..., same_person_probability: _Optional[float] = ...) -> None: ...

class CelebrityMatch(_message.Message):
    __slots__ = ("celebrity", "similarity")
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    celebrity: _celebrity_pb2.Celebrity
    similarity: Similarity
    def __init__(self, celebrity: _Optional[_Union[_celebrity_pb2.Celebrity, _Mapping]] = ..., similarity: _Optional[_Union[Similarity, _Mapping]] = ...) -> None: ...

class ProcessingInfo(_message.Message):
    __slots__ = ("timings_ms", "model_versions")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class ModelVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    timings_ms: _containers.ScalarMap[str, float]
    model_versions: _containers.ScalarMap[str, str]
    def __init__(self, timings_ms: _Optional[_Mapping[str, float]] = ..., model_versions: _Optional[_Mapping[str, str]] = ...) -> None: ...
