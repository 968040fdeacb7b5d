// Reads an answer aloud, in an audio element that can be paused and repeated.

import { speak } from "./api.js";

let playing = null;

/** Ask for `speech` of an answer to be spoken and put the player into `box`. */
export async function playVoice(box, speech) {
  stopVoice();
  const controller = new AbortController();
  playing = { controller, url: null, audio: null };
  const mine = playing;
  const blob = await speak(speech, controller.signal);
  const audio = document.createElement("audio");
  mine.url = URL.createObjectURL(blob);
  mine.audio = audio;
  audio.controls = true;
  audio.src = mine.url;
  box.replaceChildren(audio);
  try {
    await audio.play();
  } catch {
    // The browser wants a click on the player first.
  }
}

export function stopVoice() {
  if (!playing) return;
  playing.controller.abort();
  playing.audio?.pause();
  playing.audio?.remove();
  if (playing.url) URL.revokeObjectURL(playing.url);
  playing = null;
}
