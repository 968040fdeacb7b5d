// Calls to the server. Every failure becomes a Problem whose message is for people.

import { settings, text } from "./dom.js";

export class Problem extends Error {
  /** `retryable`: the same once more may go well, for the way there or the server was at fault. */
  constructor(message, { status = 0, retryable = status === 408 || status >= 429 } = {}) {
    super(message);
    this.retryable = retryable;
  }
}

/** The answer's body, read `as` "json" or "blob". */
async function call(url, as, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
    if (response.ok) return await response[as]();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(text("no_connection"), { retryable: true });
  }
  const retryAfter = Number(response.headers.get("Retry-After") ?? 0);
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Something between us and the server answered; its page is not for people.
  }
  let message = problem.detail || text("went_wrong");
  if (retryAfter > 0) message += ` ${text("wait_seconds", { seconds: Math.ceil(retryAfter) })}`;
  throw new Problem(message, { status: response.status });
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
  return call("/api/photos", "json", { ...form({ file }), signal });
}

/** The card of one face beside one look-alike, or of all faces, as a JPEG. */
export async function makeCard(file, { face, match } = {}, signal) {
  const query = new URLSearchParams();
  if (face !== undefined) query.set("face", face);
  if (match !== undefined) query.set("match", match);
  return call(`/api/cards?${query}`, "blob", { ...form({ file }), signal });
}

export async function compare(first, second) {
  return call("/api/comparisons", "json", form({ first, second }));
}

export async function speak(speech, signal) {
  const body = JSON.stringify(speech);
  const headers = { "Content-Type": "application/json" };
  return call("/api/speech", "blob", { method: "POST", body, headers, signal });
}

export async function findPeople(query, pageToken, signal) {
  const search = new URLSearchParams({ query, page_token: pageToken, page_size: "24" });
  return call(`/celebrities?${search}`, "json", { signal });
}

export async function attribution(id) {
  return call(`/celebrities/${encodeURIComponent(id)}/portrait/attribution`, "json");
}

export function portraitUrl(id, width = 330) {
  return `/celebrities/${encodeURIComponent(id)}/portrait?width=${width}`;
}

export async function sample() {
  const blob = await call(settings.sampleUrl, "blob");
  return new File([blob], "sample", { type: blob.type });
}
