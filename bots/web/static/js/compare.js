// Two photos side by side: how alike are the faces?

import { checkFile, compare } from "./api.js";
import { byId, h, number, showBusy, showError, text } from "./dom.js";

export function startCompare() {
  const files = { first: null, second: null };
  const answerBox = byId("compare-answer");
  const status = byId("compare-status");
  const errorBox = byId("compare-error");
  const send = byId("compare-now");

  function put(slot, file) {
    showError(errorBox, null);
    answerBox.hidden = true;
    try {
      checkFile(file);
    } catch (error) {
      showError(errorBox, error);
      return;
    }
    files[slot] = file;
    const preview = byId(`${slot}-preview`);
    if (preview.src) URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(file);
    preview.alt = text(`${slot}_photo`);
    preview.hidden = false;
    byId(`${slot}-slot`).classList.add("filled");
    send.disabled = !(files.first && files.second);
  }

  for (const slot of ["first", "second"]) {
    byId(`${slot}-file`).addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) put(slot, file);
    });
    const area = byId(`${slot}-slot`);
    area.addEventListener("dragover", (event) => event.preventDefault());
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) put(slot, file);
    });
  }
  document.addEventListener("paste", (event) => {
    if (byId("view-compare").hidden) return;
    const [file] = event.clipboardData.files;
    if (file) put(files.first ? "second" : "first", file);
  });

  byId("compare-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    answerBox.hidden = true;
    showError(errorBox, null);
    showBusy(status, text("comparing"));
    try {
      draw(await compare(files.first, files.second));
    } catch (error) {
      showError(errorBox, error);
    } finally {
      showBusy(status, "");
      send.disabled = false;
    }
  });

  function draw(answer) {
    const likeness = Math.round(answer.likeness);
    answerBox.replaceChildren(
      h(
        "div",
        { class: "pair", style: { "--likeness": String(answer.likeness / 100) } },
        h("figure", { class: "disc own" }, h("img", { src: answer.first_crop, alt: text("first_photo") })),
        h("figure", { class: "disc star" }, h("img", { src: answer.second_crop, alt: text("second_photo") })),
        h("p", { class: "score", "aria-hidden": "true" }, h("b", {}, number(likeness)), h("span", {}, text("likeness"))),
      ),
      h("h2", { class: "names" }, text("likeness_of", { likeness: number(likeness) })),
      h("p", {}, answer.verdict),
      h("p", { class: "small muted" }, text("how_scored")),
    );
    answerBox.hidden = false;
  }
  return {};
}
