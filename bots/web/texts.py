"""Every text of the page, in English: the ids that the catalogues translate.

The page's template and its scripts name a text by its key, so that what a
translator sees is this one list. Texts that the bots share (errors, captions,
privacy) come from ``bots.core`` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["PAGE_TEXTS"]


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's tools look for
    """Mark ``text`` for extraction; it is translated when a page is made."""
    return text


PAGE_TEXTS: Final[Mapping[str, str]] = {
    # Frame of the page
    "page_title": N_("Lookalike: who do you look like?"),
    "skip": N_("Skip to content"),
    "views": N_("Ways to use it"),
    "language": N_("Language"),
    "apply": N_("Apply"),
    "theme": N_("Switch between light and dark"),
    "photo": N_("Photo"),
    "live": N_("Live"),
    "compare": N_("Compare"),
    "celebrities": N_("Celebrities"),
    "api": N_("API"),
    "privacy": N_("Privacy"),
    "close": N_("Close"),
    "needs_script": N_("This page needs JavaScript. The API works without it."),
    # Giving a photo
    "headline": N_("Who do you look like?"),
    "intro": N_(
        "Show a photo. You get a caption of the picture, a description of every face, "
        "and the celebrities it resembles."
    ),
    "drop_here": N_("Drop a photo here"),
    "or_paste": N_("or paste one from the clipboard"),
    "choose": N_("Choose a photo"),
    "take": N_("Take a photo"),
    "paste": N_("Paste"),
    "sample": N_("Try a sample photo"),
    "formats": N_("JPEG, PNG, WebP, GIF, AVIF or HEIC, up to {megabytes} MB"),
    "privacy_short": N_("Looked at, answered, forgotten: nothing of your photo is kept."),
    "looking": N_("Looking at the photo…"),
    "new_photo": N_("New photo"),
    "nothing_to_paste": N_("There is no picture on the clipboard."),
    "not_a_picture": N_("That is no picture. Please choose a photo."),
    "too_large": N_("The photo is too large: {megabytes} MB is the most."),
    "no_connection": N_("There is no connection. Please check it and try again."),
    "went_wrong": N_("Something went wrong. Please try again."),
    "wait_seconds": N_("Please try again in {seconds} s."),
    "retry": N_("Try again"),
    # The answer
    "result": N_("The answer"),
    "your_photo": N_("Your photo"),
    "in_the_picture": N_("In the picture"),
    "caption_english": N_("The caption of the picture is written in English."),
    "face_number": N_("Face {number} of {count}"),
    "show_face": N_("Show face {number}"),
    "another_face": N_("Another face"),
    "face_looks_like": N_("This face looks like {name}"),
    "likeness": N_("Likeness"),
    "likeness_of": N_("Likeness {likeness} of 100"),
    "lookalikes": N_("Look-alikes"),
    "other_lookalikes": N_("Other look-alikes"),
    "no_lookalike": N_("The gallery has nobody like this face."),
    "details": N_("Details"),
    "how_scored": N_(
        "Likeness tells how a match ranks among the best matches of people who are not in "
        "the gallery: 50 means as alike as the average person's best match."
    ),
    "similarity": N_("Similarity of the faces (cosine)"),
    "same_person": N_("Chance of being the same person"),
    "quality": N_("Quality of the face picture"),
    "time_taken": N_("Time taken"),
    "models": N_("Models"),
    "hear": N_("Hear it"),
    "stop": N_("Stop"),
    "no_voice": N_("There is no voice on this server."),
    "share": N_("Share"),
    "download": N_("Download"),
    "copy": N_("Copy"),
    "copied": N_("Copied."),
    "delete": N_("Delete"),
    "deleted": N_("Deleted. Nothing of the photo was kept."),
    "your_card": N_("Your card"),
    "all_faces": N_("All faces"),
    "making_card": N_("Drawing the card…"),
    "portrait_by": N_("Portrait: {credit}"),
    "portrait_of": N_("Portrait of {name}"),
    "drawn_portrait": N_("Drawn card, no free portrait found"),
    "face_alt": N_("Face {number} cut out of your photo"),
    "no_face": N_("No face found"),
    "no_face_hint": N_(
        "It helps when the face looks towards the camera, is well lit and fills "
        "a good part of the picture."
    ),
    "sensitive": N_("This picture may not be for everyone."),
    "show_anyway": N_("Show it"),
    # Privacy
    "privacy_photo": N_("Your photo is looked at, answered and forgotten."),
    "privacy_files": N_(
        "It is kept in no file and in no log, it trains no model, and no one sees it but you."
    ),
    "privacy_card": N_(
        "The answer lives in this page only. For a card, the page sends the photo once more."
    ),
    "privacy_elsewhere": N_(
        "To find a celebrity's portrait, only the celebrity's name is looked up elsewhere. "
        "Spoken answers may be made by Google's voice where the operator allows it; then "
        "the spoken words are sent there, never the photo."
    ),
    "privacy_cookie": N_("The only cookie remembers the language that you choose."),
    "privacy_contact": N_("Questions: {contact}"),
    # Camera and live mode
    "camera": N_("Camera"),
    "snap": N_("Take the photo"),
    "other_camera": N_("Other camera"),
    "no_camera": N_(
        "The camera cannot be used. Allow it in the browser's settings, or choose a photo."
    ),
    "live_headline": N_("Live, from your camera"),
    "live_intro": N_(
        "Look into the camera and see who you resemble, picture by picture. "
        "The pictures are answered and forgotten."
    ),
    "start": N_("Start the camera"),
    "starting": N_("Starting the camera…"),
    "looking_for_face": N_("Looking for a face…"),
    "live_rate": N_("{rate} pictures a second, {milliseconds} ms each"),
    "live_ended": N_("The live view has ended."),
    "use_picture": N_("Use this picture"),
    # Comparing
    "compare_headline": N_("How alike are two people?"),
    "compare_intro": N_("Give two photos. The largest face of each is compared with the other."),
    "first_photo": N_("First photo"),
    "second_photo": N_("Second photo"),
    "compare_now": N_("Compare"),
    "comparing": N_("Comparing the faces…"),
    # The gallery
    "celebrities_headline": N_("Who is in the gallery?"),
    "celebrities_intro": N_("Everyone whom your face is compared with."),
    "search": N_("Search by name"),
    "found": N_("{count} found"),
    "nobody": N_("Nobody by that name."),
    "more": N_("Show more"),
    "also_known_as": N_("Also known as {names}"),
    "on_wikidata": N_("Read more on Wikidata"),
}
"""Text by key. ``{name}`` stands for what the page fills in."""
