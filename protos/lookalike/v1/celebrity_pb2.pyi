import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PortraitSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PORTRAIT_SOURCE_UNSPECIFIED: _ClassVar[PortraitSource]
    PORTRAIT_SOURCE_GALLERY: _ClassVar[PortraitSource]
    PORTRAIT_SOURCE_WIKIMEDIA: _ClassVar[PortraitSource]
    PORTRAIT_SOURCE_GOOGLE: _ClassVar[PortraitSource]
    PORTRAIT_SOURCE_CARD: _ClassVar[PortraitSource]
PORTRAIT_SOURCE_UNSPECIFIED: PortraitSource
PORTRAIT_SOURCE_GALLERY: PortraitSource
PORTRAIT_SOURCE_WIKIMEDIA: PortraitSource
PORTRAIT_SOURCE_GOOGLE: PortraitSource
PORTRAIT_SOURCE_CARD: PortraitSource

class Celebrity(_message.Message):
    __slots__ = ("name", "display_name", "aliases", "tags", "wikidata_id", "face_count", "has_picture", "create_time", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    WIKIDATA_ID_FIELD_NUMBER: _ClassVar[int]
    FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_PICTURE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    tags: _containers.RepeatedScalarFieldContainer[str]
    wikidata_id: str
    face_count: int
    has_picture: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., tags: _Optional[_Iterable[str]] = ..., wikidata_id: _Optional[str] = ..., face_count: _Optional[int] = ..., has_picture: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetCelebrityRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCelebrityResponse(_message.Message):
    __slots__ = ("celebrity",)
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    celebrity: Celebrity
    def __init__(self, celebrity: _Optional[_Union[Celebrity, _Mapping]] = ...) -> None: ...

class ListCelebritiesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "query", "required_tags")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_TAGS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    query: str
    required_tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., query: _Optional[str] = ..., required_tags: _Optional[_Iterable[str]] = ...) -> None: ...

class ListCelebritiesResponse(_message.Message):
    __slots__ = ("celebrities", "next_page_token", "total_size")
    CELEBRITIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    celebrities: _containers.RepeatedCompositeFieldContainer[Celebrity]
    next_page_token: str
    total_size: int
    def __init__(self, celebrities: _Optional[_Iterable[_Union[Celebrity, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ...) -> None: ...

class CelebrityPhoto(_message.Message):
    __slots__ = ("content", "keep_picture")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    KEEP_PICTURE_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    keep_picture: bool
    def __init__(self, content: _Optional[bytes] = ..., keep_picture: _Optional[bool] = ...) -> None: ...

class CreateCelebrityRequest(_message.Message):
    __slots__ = ("celebrity", "celebrity_id", "photos")
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    CELEBRITY_ID_FIELD_NUMBER: _ClassVar[int]
    PHOTOS_FIELD_NUMBER: _ClassVar[int]
    celebrity: Celebrity
    celebrity_id: str
    photos: _containers.RepeatedCompositeFieldContainer[CelebrityPhoto]
    def __init__(self, celebrity: _Optional[_Union[Celebrity, _Mapping]] = ..., celebrity_id: _Optional[str] = ..., photos: _Optional[_Iterable[_Union[CelebrityPhoto, _Mapping]]] = ...) -> None: ...

class CreateCelebrityResponse(_message.Message):
    __slots__ = ("celebrity",)
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    celebrity: Celebrity
    def __init__(self, celebrity: _Optional[_Union[Celebrity, _Mapping]] = ...) -> None: ...

class UpdateCelebrityRequest(_message.Message):
    __slots__ = ("celebrity", "update_mask")
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    celebrity: Celebrity
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, celebrity: _Optional[_Union[Celebrity, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateCelebrityResponse(_message.Message):
    __slots__ = ("celebrity",)
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    celebrity: Celebrity
    def __init__(self, celebrity: _Optional[_Union[Celebrity, _Mapping]] = ...) -> None: ...

class DeleteCelebrityRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteCelebrityResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AddCelebrityPhotoRequest(_message.Message):
    __slots__ = ("name", "photo")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHOTO_FIELD_NUMBER: _ClassVar[int]
    name: str
    photo: CelebrityPhoto
    def __init__(self, name: _Optional[str] = ..., photo: _Optional[_Union[CelebrityPhoto, _Mapping]] = ...) -> None: ...

class AddCelebrityPhotoResponse(_message.Message):
    __slots__ = ("celebrity",)
    CELEBRITY_FIELD_NUMBER: _ClassVar[int]
    celebrity: Celebrity
    def __init__(self, celebrity: _Optional[_Union[Celebrity, _Mapping]] = ...) -> None: ...

class GetCelebrityPortraitRequest(_message.Message):
    __slots__ = ("name", "width_px")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    name: str
    width_px: int
    def __init__(self, name: _Optional[str] = ..., width_px: _Optional[int] = ...) -> None: ...

class GetCelebrityPortraitResponse(_message.Message):
    __slots__ = ("image", "mime_type", "source", "attribution")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MIME_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    mime_type: str
    source: PortraitSource
    attribution: PortraitAttribution
    def __init__(self, image: _Optional[bytes] = ..., mime_type: _Optional[str] = ..., source: _Optional[_Union[PortraitSource, str]] = ..., attribution: _Optional[_Union[PortraitAttribution, _Mapping]] = ...) -> None: ...

class PortraitAttribution(_message.Message):
    __slots__ = ("artist", "license", "license_url", "source_url")
    ARTIST_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    LICENSE_URL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_URL_FIELD_NUMBER: _ClassVar[int]
    artist: str
    license: str
    license_url: str
    source_url: str
    def __init__(self, artist: _Optional[str] = ..., license: _Optional[str] = ..., license_url: _Optional[str] = ..., source_url: _Optional[str] = ...) -> None: ...
