// The answer about one photo: the picture with its faces, and whom each resembles.

import { attribution, portraitUrl } from "./api.js";
import { openCard } from "./card.js";
import { button, h, icon, named, number, settings, showError, text } from "./dom.js";
import { playVoice, stopVoice } from "./voice.js";

const FIRST_MATCHES = 3;

/** Draw `answer` into `box`. `context`: file, previewUrl, onDelete(), onNew(). */
export function showAnswer(box, answer, context) {
  const state = { face: 0, match: 0, shown: FIRST_MATCHES };
  const matchPanel = h("section", { class: "match-panel panel", "aria-label": text("result") });
  const photoPanel = drawPhoto(answer, context, (face) => select({ face, match: 0, shown: FIRST_MATCHES }));

  function select(change, keepFocus = null) {
    Object.assign(state, change);
    for (const [index, faceBox] of photoPanel.querySelectorAll(".face-box").entries()) {
      faceBox.setAttribute("aria-pressed", String(index === state.face));
    }
    matchPanel.replaceChildren(
      ...(answer.faces.length ? drawFace(answer, state, context, select) : drawNoFace(context)),
    );
    if (keepFocus) matchPanel.querySelector(keepFocus)?.focus();
  }

  box.replaceChildren(photoPanel, matchPanel);
  select({});
  box.hidden = false;
  matchPanel.querySelector(".names")?.focus({ preventScroll: true });
  if (matchMedia("(max-width: 52rem)").matches) box.scrollIntoView({ behavior: "smooth", block: "start" });
}

function drawPhoto(answer, context, onFace) {
  const image = h("img", { src: context.previewUrl, alt: answer.caption || text("your_photo"), class: "photo" });
  const boxes = h("div", { class: "boxes" });
  const { width, height } = answer.image_size;
  for (const [index, face] of answer.faces.entries()) {
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    boxes.append(
      h(
        "button",
        {
          type: "button",
          class: "face-box",
          "aria-label": text("show_face", { number: number(index + 1) }),
          "aria-pressed": "false",
          onclick: () => onFace(index),
          style: {
            left: percent(face.box.x, width),
            top: percent(face.box.y, height),
            width: percent(face.box.width, width),
            height: percent(face.box.height, height),
          },
        },
        answer.faces.length > 1 ? h("span", { "aria-hidden": "true" }, number(index + 1)) : null,
      ),
    );
  }
  const frame = h("div", { class: "photo-frame" }, image, boxes);
  // A HEIC photo cannot be shown by most browsers; the faces cut out of it can.
  image.addEventListener("error", () => frame.remove());
  if (answer.sensitive) {
    frame.classList.add("veiled");
    const veil = h("div", { class: "veil" }, h("p", {}, text("sensitive")));
    veil.append(
      button(text("show_anyway"), "eye", () => {
        frame.classList.remove("veiled");
        veil.remove();
      }),
    );
    frame.append(veil);
  }
  const voice = h("div", { class: "voice" });
  const voiceError = h("div", { class: "error", role: "alert" });
  const hear = button(text("hear"), "speaker", async () => {
    showError(voiceError, null);
    hear.disabled = true;
    try {
      await playVoice(voice, answer.speech);
    } catch (error) {
      if (error.name !== "AbortError") showError(voiceError, error);
    } finally {
      hear.disabled = false;
    }
  }, { class: "button hear" });
  return h(
    "section",
    { class: "photo-panel panel", "aria-label": text("your_photo") },
    frame,
    h("h2", { class: "eyebrow" }, text("in_the_picture")),
    // The words stay English in every language of the page.
    h("p", { class: "caption", lang: "en", dir: "ltr" }, answer.caption),
    settings.language === "en" ? null : h("p", { class: "small muted" }, text("caption_english")),
    answer.hidden_faces_note ? h("p", { class: "small muted hidden-faces" }, answer.hidden_faces_note) : null,
    h(
      "div",
      { class: "actions" },
      hear,
      button(text("new_photo"), "camera", context.onNew),
      button(text("delete"), "trash", () => {
        stopVoice();
        context.onDelete();
      }, { class: "button delete" }),
    ),
    voice,
    voiceError,
  );
}

function drawNoFace(context) {
  return [
    h("h2", { class: "names", tabindex: "-1" }, text("no_face")),
    h("p", { class: "lead" }, text("no_face_hint")),
    h("div", { class: "actions" }, button(text("new_photo"), "camera", context.onNew, { class: "button primary" })),
  ];
}

function drawFace(answer, state, context, select) {
  const { faces } = answer;
  const face = faces[state.face];
  const match = face.matches[state.match];
  const several = faces.length > 1;
  const position = { number: number(state.face + 1), count: number(faces.length) };
  const head = h(
    "div",
    { class: "panel-head" },
    h("p", { class: "eyebrow" }, several ? text("face_number", position) : text("result")),
    several
      ? button(text("another_face"), "next", () => {
          select({ face: (state.face + 1) % faces.length, match: 0, shown: FIRST_MATCHES }, ".another-face");
        }, { class: "button small another-face" })
      : null,
  );
  const traits = h("ul", { class: "chips" }, face.traits.map((trait) => h("li", {}, trait)));
  if (!match) {
    return [
      head,
      h("h2", { class: "names", tabindex: "-1" }, text("no_lookalike")),
      traits,
      drawDetails(answer, face, null),
    ];
  }
  return [
    head,
    drawPair(face, match, state.face),
    h(
      "h2",
      { class: "names", tabindex: "-1" },
      named("face_looks_like", match.name),
      h("span", { class: "visually-hidden" }, `. ${text("likeness_of", { likeness: number(Math.round(match.likeness)) })}`),
    ),
    traits,
    h(
      "div",
      { class: "actions" },
      button(text("share"), "share", () => openCard(context.file, { face: state.face, match: state.match }, match.name), {
        class: "button primary share",
      }),
      several
        ? button(text("all_faces"), "share", () => openCard(context.file, {}, best(faces).join(", ")), { class: "button share-all" })
        : null,
    ),
    drawMatches(face, state, select),
    drawDetails(answer, face, match),
  ];
}

function best(faces) {
  return faces.filter((face) => face.matches.length).map((face) => face.matches[0].name);
}

function drawPair(face, match, index) {
  const likeness = Math.round(match.likeness);
  const credit = h("figcaption", { class: "credit" });
  showCredit(credit, match.id);
  return h(
    "div",
    { class: "pair", style: { "--likeness": String(match.likeness / 100) } },
    h(
      "figure",
      { class: "disc own" },
      h("img", { src: face.crop, alt: text("face_alt", { number: number(index + 1) }) }),
    ),
    h(
      "figure",
      { class: "disc star" },
      h("img", { src: portraitUrl(match.id), alt: text("portrait_of", { name: match.name }) }),
    ),
    h(
      "p",
      { class: "score", "aria-hidden": "true" },
      h("b", {}, number(likeness)),
      h("span", {}, text("likeness")),
    ),
    credit,
  );
}

/** Whom to credit for a portrait, as its licence asks. */
export async function showCredit(element, id) {
  let credit;
  try {
    credit = await attribution(id);
  } catch {
    return; // The portrait's own request reports what is wrong.
  }
  if (credit.source === "card") {
    element.replaceChildren(text("drawn_portrait"));
    return;
  }
  const words = [credit.artist, credit.license].filter(Boolean).join(", ");
  if (!words) return;
  const url = credit.source_url || credit.license_url;
  const line = text("portrait_by", { credit: words });
  element.replaceChildren(url ? h("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, line) : line);
}

function drawMatches(face, state, select) {
  if (face.matches.length < 2) return null;
  const list = h("ol", { class: "matches" });
  for (const [index, match] of face.matches.slice(0, state.shown).entries()) {
    const likeness = Math.round(match.likeness);
    list.append(
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: "match",
            "aria-pressed": String(index === state.match),
            data: { match: String(index) },
            onclick: () => select({ match: index }, `[data-match="${index}"]`),
          },
          h("img", { src: portraitUrl(match.id, 250), alt: "", loading: "lazy", width: "48", height: "48" }),
          h("span", { class: "match-name" }, h("bdi", {}, match.name)),
          h(
            "span",
            { class: "meter", "aria-hidden": "true" },
            h("i", { style: { "inline-size": `${match.likeness}%` } }),
          ),
          h("span", { class: "match-likeness", "aria-hidden": "true" }, number(likeness)),
          h("span", { class: "visually-hidden" }, text("likeness_of", { likeness: number(likeness) })),
        ),
      ),
    );
  }
  const more =
    state.shown < face.matches.length
      ? button(text("other_lookalikes"), "next", () => {
          select({ shown: face.matches.length }, `[data-match="${state.shown}"]`);
        }, { class: "button small more-matches" })
      : null;
  return h("div", { class: "matches-block" }, h("h3", {}, text("lookalikes")), list, more);
}

function drawDetails(answer, face, match) {
  const percent = { style: "percent", maximumFractionDigits: 1 };
  const rows = [];
  if (match) {
    rows.push([text("likeness"), number(match.likeness, { maximumFractionDigits: 1 })]);
    rows.push([text("similarity"), number(match.similarity, { maximumFractionDigits: 3 })]);
    rows.push([text("same_person"), number(match.same_person_probability, percent)]);
  }
  rows.push([text("quality"), number(face.quality, percent)]);
  if (answer.timings_ms.total) {
    rows.push([text("time_taken"), `${number(Math.round(answer.timings_ms.total))} ms`]);
  }
  const models = Object.entries(answer.model_versions).map(([part, version]) => `${part} ${version}`);
  if (models.length) rows.push([text("models"), models.join(", ")]);
  return h(
    "details",
    { class: "details" },
    h("summary", {}, icon("info"), text("details")),
    h("p", { class: "small" }, text("how_scored")),
    h("dl", {}, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value)))),
  );
}
