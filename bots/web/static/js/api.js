// Calls to the server. Every failure becomes a Problem whose message is for people.

import { settings, text } from "./dom.js";

export class Problem extends Error {
  constructor(message, { status = 0, retryAfter = 0, reason = "" } = {}) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
    this.reason = reason;
  }
}

async function call(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(text("no_connection"));
  }
  if (response.ok) return response;
  const retryAfter = Number(response.headers.get("Retry-After") ?? 0);
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Something between us and the server answered; its page is not for people.
  }
  let message = problem.detail || text("went_wrong");
  if (retryAfter > 0) message += ` ${text("wait_seconds", { seconds: Math.ceil(retryAfter) })}`;
  throw new Problem(message, { status: response.status, retryAfter, reason: problem.reason });
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value, "photo");
  return { method: "POST", body };
}

/** Refuse before sending what the server would refuse after it. */
export function checkFile(file) {
  const named = /\.(heic|heif|avif|jpe?g|png|webp|gif)$/i.test(file.name ?? "");
  if (file.type && !file.type.startsWith("image/") && !named) throw new Problem(text("not_a_picture"));
  if (file.size > settings.maxBytes) {
    throw new Problem(text("too_large", { megabytes: Math.floor(settings.maxBytes / 2 ** 20) }));
  }
}

export async function analyze(file, signal) {
  return (await call("/api/photos", { ...form({ file }), signal })).json();
}

/** The card of one face beside one look-alike, or of all faces, as a JPEG. */
export async function makeCard(file, { face, match } = {}, signal) {
  const query = new URLSearchParams();
  if (face !== undefined) query.set("face", face);
  if (match !== undefined) query.set("match", match);
  return (await call(`/api/cards?${query}`, { ...form({ file }), signal })).blob();
}

export async function compare(first, second) {
  return (await call("/api/comparisons", form({ first, second }))).json();
}

export async function speak(speech, signal) {
  const body = JSON.stringify(speech);
  const headers = { "Content-Type": "application/json" };
  return (await call("/api/speech", { method: "POST", body, headers, signal })).blob();
}

export async function findPeople(query, pageToken, signal) {
  const search = new URLSearchParams({ query, page_token: pageToken, page_size: "24" });
  return (await call(`/celebrities?${search}`, { signal })).json();
}

export async function attribution(id) {
  return (await call(`/celebrities/${encodeURIComponent(id)}/portrait/attribution`)).json();
}

export function portraitUrl(id, width = 330) {
  return `/celebrities/${encodeURIComponent(id)}/portrait?width=${width}`;
}

export async function sample() {
  const blob = await (await call(settings.sampleUrl)).blob();
  return new File([blob], "sample", { type: blob.type });
}
