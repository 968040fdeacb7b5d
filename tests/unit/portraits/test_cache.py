"""Portraits on disk."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from model_server.portraits import cache as cache_module
from model_server.portraits.cache import CacheEntry, PortraitCache
from model_server.portraits.portrait import Portrait, PortraitSource

PORTRAIT = Portrait(
    b"\x00jpeg\nbytes",
    "image/jpeg",
    PortraitSource.WIKIMEDIA,
    artist="Géorges\nBiard",
    license="CC BY-SA 3.0",
    license_url="https://creativecommons.org/licenses/by-sa/3.0",
    source_url="https://commons.wikimedia.org/wiki/File:P.jpg",
)
DAY = 86_400


class Clock:
    def __init__(self):
        self.time = 1_700_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(tmp_path, clock):
    return PortraitCache(tmp_path / "portraits", now=clock)


def test_what_was_put_comes_back_whole(cache, tmp_path, clock):
    """Every field survives, in this process and the next."""
    cache.put(PORTRAIT, "wikimedia", "ada")
    assert cache.get("wikimedia", "ada") == CacheEntry(PORTRAIT, fresh=True)
    again = PortraitCache(tmp_path / "portraits", now=clock)
    assert again.get("wikimedia", "ada") == CacheEntry(PORTRAIT, fresh=True)


def test_keys_are_told_apart(cache):
    """The parts of a key do not run together, and need not be file names."""
    cache.put(PORTRAIT, "a", "../../b\0")
    assert cache.get("a../", "../b") is None
    assert cache.get("a", "../../b\0") is not None


def test_entries_grow_old_but_are_still_there(cache, clock):
    """An expired portrait is better than none while the provider is down."""
    cache.put(PORTRAIT, "a")
    clock.time += 31 * DAY
    assert cache.get("a") == CacheEntry(PORTRAIT, fresh=False)


def test_that_there_is_none_is_believed_for_a_shorter_time(cache, clock):
    """People get pictures in Wikidata every day."""
    cache.put(None, "a")
    assert cache.get("a") == CacheEntry(None, fresh=True)
    clock.time += 4 * DAY
    assert cache.get("a") == CacheEntry(None, fresh=False)


def test_a_later_entry_replaces_the_earlier(cache, tmp_path):
    """One file an entry, and no leftovers."""
    cache.put(None, "a")
    cache.put(PORTRAIT, "a")
    assert cache.get("a") == CacheEntry(PORTRAIT, fresh=True)
    assert len(list((tmp_path / "portraits").iterdir())) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-3],
        lambda data: b"garbage" + data,
        lambda data: data.replace(b"wikimedia", b"elsewhere", 1),
        lambda data: data.replace(b'"format": 1', b'"format": 2'),
    ],
)
def test_a_damaged_entry_is_none_and_goes_away(cache, tmp_path, damage):
    """Half-written, foreign and older files are no portraits."""
    cache.put(PORTRAIT, "a")
    (file,) = (tmp_path / "portraits").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cache.get("a") is None
    assert not file.exists()


def test_the_least_recently_used_make_room(tmp_path, clock):
    """The folder stays within its bound, and what is used stays."""
    cache = PortraitCache(tmp_path, max_bytes=10_000, now=clock)
    for number in range(8):
        clock.time += 1
        cache.put(Portrait(bytes(1000), "image/png", PortraitSource.GOOGLE), str(number))
    clock.time += 1
    assert cache.get("0") is not None
    for number in range(8, 12):
        clock.time += 1
        cache.put(Portrait(bytes(1000), "image/png", PortraitSource.GOOGLE), str(number))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 10_000
    assert cache.get("0") is not None
    assert cache.get("1") is None
    assert cache.get("11") is not None


def test_a_folder_that_was_full_before_the_start_is_cut_down(tmp_path, clock):
    """The bound holds over restarts, even a lower one."""
    PortraitCache(tmp_path, now=clock).put(PORTRAIT, "a")
    clock.time += 1
    big = Portrait(bytes(500), "image/png", PortraitSource.GOOGLE)
    PortraitCache(tmp_path, max_bytes=800, now=clock).put(big, "b")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("failure", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_replaced_by_memory(
    cache, tmp_path, monkeypatch, caplog, failure
):
    """A read-only or full disk costs the cache its memory over restarts, nothing else."""

    def fail(*_, **__):
        raise OSError(failure, os.strerror(failure))

    monkeypatch.setattr(cache_module.os, "replace", fail)
    for number in range(200):
        cache.put(PORTRAIT, str(number))
    assert cache.get("199") == CacheEntry(PORTRAIT, fresh=True)
    assert cache.get("0") is None  # memory has a bound too
    assert caplog.text.count("cannot be kept") == 1
    assert list((tmp_path / "portraits").iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_survived(tmp_path, clock):
    """The folder cannot even be made."""
    (tmp_path / "file").write_text("in the way")
    cache = PortraitCache(tmp_path / "file", now=clock)
    cache.put(PORTRAIT, "a")
    assert cache.get("a") == CacheEntry(PORTRAIT, fresh=True)


def test_many_threads_at_once_lose_nothing(tmp_path):
    """Writers and evictions at the same time leave whole entries only."""
    cache = PortraitCache(tmp_path, max_bytes=20_000)
    failures = []

    def work(worker):
        try:
            for number in range(30):
                cache.put(PORTRAIT, str(number % 10))
                entry = cache.get(str(number % 10))
                if entry is not None and entry.portrait != PORTRAIT:
                    failures.append((worker, number))
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
