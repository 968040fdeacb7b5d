"""Replies in Discord's terms."""

from __future__ import annotations

import pytest

from bots.core.reply import Action, Button, Line, LineKind, Picture, Press, Reply, ReplyKind
from bots.discord.render import custom_id, render


def reply(*lines: Line, **more) -> Reply:
    return Reply(ReplyKind.ANSWER, "en", lines or (Line(LineKind.TEXT, "hello"),), **more)


PICTURE = Picture(b"x" * 100, "image/jpeg", "two faces", "key")
BUTTON = Button("More", Press("abc", Action.MATCHES, 1, 2))


def test_lines_become_an_embed_with_markup():
    """The first title is the embed's, faces are bold, notes and credits are small."""
    message = render(
        reply(
            Line(LineKind.TITLE, "Title"),
            Line(LineKind.FACE, "Face"),
            Line(LineKind.MATCH, "1. Star"),
            Line(LineKind.NOTE, "note"),
            Line(LineKind.CREDIT, "credit"),
        )
    )
    assert message.embed.title == "Title"
    assert message.embed.description == "**Face**\n1\\. Star\n-# note\n-# credit"
    assert message.content is None


def test_markup_in_words_is_shown_as_it_is():
    """Stars and underscores of a name do not become bold or italic."""
    message = render(reply(Line(LineKind.CAPTION, "*_a_* `b` ||c||")))
    assert message.embed.description == r"\*\_a\_\* \`b\` \|\|c\|\|"


def test_too_much_text_is_cut_by_lines():
    """Notes go first, credits stay, and the limit of a description is kept."""
    lines = [Line(LineKind.MATCH, "*" * 300) for _ in range(20)]
    message = render(
        reply(*lines, Line(LineKind.NOTE, "note" * 50), Line(LineKind.CREDIT, "credit"))
    )
    assert len(message.embed.description) <= 4096
    assert message.embed.description.endswith("-# credit")
    assert "note" not in message.embed.description


def test_without_embeds_the_words_are_plain_and_shorter():
    """Where embeds are forbidden, 2,000 characters are the most."""
    lines = [Line(LineKind.MATCH, "x" * 300) for _ in range(20)]
    message = render(reply(*lines), embeds=False)
    assert message.embed is None
    assert 0 < len(message.content) <= 2000


def test_the_picture_is_in_the_embed():
    """The card is uploaded and shown by the embed, with its alternative text."""
    message = render(reply(picture=PICTURE))
    assert message.embed.image.url == "attachment://lookalike.jpg"
    assert message.file.description == "two faces"


def test_a_spoiler_is_never_in_the_embed():
    """Embeds have no spoilers: a hidden picture is a plain attachment."""
    message = render(reply(picture=PICTURE, spoiler=True))
    assert message.embed.image.url is None
    assert message.file.filename == "SPOILER_lookalike.jpg"


@pytest.mark.parametrize("limit", [0, 99])
def test_a_picture_over_the_limit_is_left_out(limit):
    """The words arrive all the same."""
    message = render(reply(picture=PICTURE), file_limit=limit)
    assert message.file is None
    assert message.embed.description == "hello"
    assert message.embed.image.url is None


async def test_buttons_carry_their_data_and_are_not_remembered():
    """No view is kept in memory: the custom id says it all."""
    message = render(reply(buttons=((BUTTON,), (BUTTON,))))
    assert [item.custom_id for item in message.view.children] == ["lookalike:abc.m.1.2"] * 2
    assert message.view.is_finished()
    assert len(custom_id(Button("x", Press("k" * 12, Action.MATCHES, 30, 99)))) <= 100


@pytest.mark.parametrize(
    ("widths", "expected"),
    [([1, 2, 2], [5]), ([2, 2, 2], [2, 4]), ([2, 3], [5]), ([3, 4, 4], [3, 5, 3]), ([9], [5, 4])],
)
async def test_rows_are_as_wide_as_discords(widths, expected):
    """What fits into one row is one; else the first row stays by itself."""
    view = render(reply(buttons=tuple((BUTTON,) * width for width in widths))).view
    rows = [item.row for item in view.children]
    assert [rows.count(row) for row in sorted(set(rows))] == expected


async def test_editing_takes_away_what_the_reply_lacks():
    """An edit without picture and buttons removes those that were there."""
    changes = render(reply()).for_editing()
    assert changes["attachments"] == []
    assert changes["view"] is None
    assert set(render(reply()).for_sending()) == {"embed"}
