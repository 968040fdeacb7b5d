"""Portraits from Wikimedia: the person's item in Wikidata, its picture on Commons.

1. The item: the one the gallery names, or else the first human among those that
   Wikidata finds under the name (wbsearchentities) and that bear exactly this name.
2. Its picture: property P18, the preferred statement first (wbgetentities).
3. The picture's thumbnail, artist and licence on Commons (imageinfo with extmetadata).

Wikimedia asks for a User-Agent that names a contact, and keeps thumbnails of
standard widths only.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any

from model_server.gallery.celebrity import fold
from model_server.portraits.fetch import Fetcher
from model_server.portraits.portrait import (
    Person,
    Portrait,
    PortraitProviderError,
    PortraitSource,
    QuotaExceededError,
    standard_width,
)
from model_server.portraits.reencode import to_portrait_jpeg

__all__ = ["WikimediaProvider"]

_ITEM = re.compile(r"Q[1-9]\d{0,11}")
_HUMAN = "Q5"
_INSTANCE_OF = "P31"
_IMAGE = "P18"
_CANDIDATES = 7
_MAX_CREDIT = 200  # characters; some artist fields hold whole paragraphs
_RANKS = {"preferred": 0, "normal": 1}  # deprecated statements are known to be wrong
_BUSY = frozenset({"maxlag", "ratelimited", "readonly"})
_BUSY_PAUSE_S = 30.0


class WikimediaProvider:
    """Looks people up in Wikidata and takes their picture from Wikimedia Commons.

    Args:
        fetcher: Allowed to ask both APIs and the host that serves the pictures.
        wikidata_url: Such as "https://www.wikidata.org".
        commons_url: Such as "https://commons.wikimedia.org".
    """

    name = "wikimedia"

    def __init__(self, fetcher: Fetcher, *, wikidata_url: str, commons_url: str) -> None:
        self._fetcher = fetcher
        self._wikidata = wikidata_url.rstrip("/") + "/w/api.php"
        self._commons = commons_url.rstrip("/") + "/w/api.php"

    async def find(self, person: Person, width_px: int) -> Portrait | None:
        """As :meth:`PortraitProvider.find`."""
        file_name = await self._file_name(person)
        if file_name is None:
            return None
        return await self._from_commons(file_name, standard_width(width_px))

    async def _file_name(self, person: Person) -> str | None:
        if _ITEM.fullmatch(person.wikidata_id):
            claims = await self._claims([person.wikidata_id])
            return _picture(claims.get(person.wikidata_id, {}))
        candidates = await self._search(person.display_name)
        claims = await self._claims(candidates) if candidates else {}
        for item in candidates:
            # The first human of that name, even without a picture: the next one
            # is somebody else, and a stranger's face is worse than none.
            if _HUMAN in _items(claims.get(item, {}), _INSTANCE_OF):
                return _picture(claims[item])
        return None

    async def _search(self, name: str) -> list[str]:
        """Items that bear the name, in Wikidata's order, the best known first."""
        answer = await self._ask(
            self._wikidata,
            action="wbsearchentities",
            search=name,
            language="en",
            uselang="en",
            type="item",
            limit=str(_CANDIDATES),
        )
        return [
            str(hit["id"])
            for hit in _dicts(answer.get("search"))
            if _ITEM.fullmatch(str(hit.get("id")))
            and _same_name(
                name, (hit.get("label"), *_values(hit.get("match")), *_list(hit.get("aliases")))
            )
        ]

    async def _claims(self, items: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """The statements of each item that exists."""
        answer = await self._ask(
            self._wikidata, action="wbgetentities", ids="|".join(items), props="claims"
        )
        entities = answer.get("entities")
        if not isinstance(entities, dict):
            raise PortraitProviderError("Wikidata's answer has no entities")
        return {
            # Merged items answer under the id they were merged into.
            key: entity["claims"]
            for entity in entities.values()
            if isinstance(entity, dict) and isinstance(entity.get("claims"), dict)
            for key in _keys(entity)
        }

    async def _from_commons(self, file_name: str, width_px: int) -> Portrait | None:
        answer = await self._ask(
            self._commons,
            action="query",
            titles=f"File:{file_name}",
            redirects="1",
            prop="imageinfo",
            iiprop="url|extmetadata",
            iiurlwidth=str(width_px),
            iiextmetadatalanguage="en",
            iiextmetadatafilter="Artist|LicenseShortName|LicenseUrl",
        )
        query = answer.get("query")
        pages = _dicts(query.get("pages")) if isinstance(query, dict) else []
        info = next((info for page in pages for info in _dicts(page.get("imageinfo"))), None)
        if info is None:
            return None  # deleted since, or kept outside Commons
        address = info.get("thumburl") or info.get("url")
        if not isinstance(address, str):
            raise PortraitProviderError("the answer of Commons has no address of the picture")
        picture = await self._fetcher.picture(address)
        metadata = info.get("extmetadata")
        credit = metadata if isinstance(metadata, dict) else {}
        return Portrait(
            image=await asyncio.to_thread(to_portrait_jpeg, picture, width_px),
            mime_type="image/jpeg",
            source=PortraitSource.WIKIMEDIA,
            artist=_text(credit.get("Artist")),
            license=_text(credit.get("LicenseShortName")),
            license_url=_address(_text(credit.get("LicenseUrl"))),
            source_url=_address(str(info.get("descriptionurl") or "")),
        )

    async def _ask(self, url: str, **params: str) -> dict[str, Any]:
        answer = await self._fetcher.json(url, {**params, "format": "json", "formatversion": "2"})
        error = answer.get("error")
        if error is not None:
            # The API reports errors with status 200.
            code = str(error.get("code")) if isinstance(error, dict) else "unknown"
            if code in _BUSY:
                raise QuotaExceededError(f"the API answers {code}", retry_after_s=_BUSY_PAUSE_S)
            if code == "no-such-entity":
                return {"entities": {}}
            raise PortraitProviderError(f"the API answers {code[:40]}")
        return answer


def _keys(entity: Mapping[str, Any]) -> set[str]:
    redirects = entity.get("redirects")
    asked = redirects.get("from") if isinstance(redirects, dict) else None
    return {str(key) for key in (entity.get("id"), asked) if key}


def _picture(claims: Mapping[str, Any]) -> str | None:
    names = [name for name in _main_values(claims, _IMAGE) if isinstance(name, str)]
    return next((name for name in names if "|" not in name), None)


def _items(claims: Mapping[str, Any], prop: str) -> list[str]:
    return [str(value.get("id")) for value in _dicts(_main_values(claims, prop))]


def _main_values(claims: Mapping[str, Any], prop: str) -> list[Any]:
    """Values of the property's statements, the preferred ones first, without deprecated ones."""
    statements = [
        statement for statement in _dicts(claims.get(prop)) if statement.get("rank") in _RANKS
    ]
    statements.sort(key=lambda statement: _RANKS[statement["rank"]])
    values = []
    for statement in statements:
        snak = statement.get("mainsnak")
        value = snak.get("datavalue") if isinstance(snak, dict) else None
        if isinstance(value, dict):
            values.append(value.get("value"))
    return values


def _dicts(value: object) -> list[dict[str, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _values(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []


def _same_name(name: str, others: Iterable[object]) -> bool:
    return _folded(name) in {_folded(other) for other in others if isinstance(other, str)}


def _folded(name: str) -> str:
    """Without case, accents and punctuation, so that "Penelope Cruz" finds "Penélope Cruz"."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in fold(name)).split())


class _TextOf(HTMLParser):
    """Collects the text of HTML; artists are often given as a link to their page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if self._hidden <= 0:
            self.parts.append(data)


def _text(field: object) -> str:
    """Plain text of a field of extmetadata, which is HTML; empty where there is none."""
    value = field.get("value") if isinstance(field, dict) else None
    if not isinstance(value, str):
        return ""
    parser = _TextOf()
    parser.feed(value)
    parser.close()
    text = " ".join(html.unescape("".join(parser.parts)).split())
    return text if len(text) <= _MAX_CREDIT else text[: _MAX_CREDIT - 1].rstrip() + "…"


def _address(url: str) -> str:
    """The address if it is one that a browser may be sent to, or else nothing."""
    if url.startswith("//"):
        url = "https:" + url
    return url if url.startswith(("https://", "http://")) and len(url) <= 2000 else ""
