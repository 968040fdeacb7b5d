// The photo view: giving a photo in any way, and what happens until it is answered.

import { showAnswer } from "./answer.js";
import { analyze, checkFile, Problem, sample } from "./api.js";
import { takePhoto } from "./camera.js";
import { byId, showBusy, showError, text } from "./dom.js";
import { stopVoice } from "./voice.js";

export function startPhoto() {
  const hero = byId("hero");
  const status = byId("photo-status");
  const errorBox = byId("photo-error");
  const answerBox = byId("answer");
  let running = null;
  let previewUrl = null;

  function clear() {
    running?.abort();
    running = null;
    stopVoice();
    if (previewUrl) URL.revokeObjectURL(previewUrl);
    previewUrl = null;
    answerBox.hidden = true;
    answerBox.replaceChildren();
    hero.classList.remove("compact");
    showError(errorBox, null);
    showBusy(status, "");
    byId("file").value = "";
  }

  async function give(file) {
    clear();
    hero.classList.add("compact");
    running = new AbortController();
    const { signal } = running;
    previewUrl = URL.createObjectURL(file);
    try {
      checkFile(file);
      showBusy(status, text("looking"));
      const answer = await analyze(file, signal);
      showBusy(status, "");
      showAnswer(answerBox, answer, {
        file,
        previewUrl,
        onDelete() {
          clear();
          status.append(text("deleted"));
          byId("photo-title").focus();
        },
        onNew() {
          clear();
          byId("file").focus();
        },
      });
    } catch (error) {
      if (error.name === "AbortError") return;
      clear();
      showError(errorBox, error, error.retryable ? () => give(file) : null);
      if (!(error instanceof Problem)) throw error;
    }
  }

  function shown() {
    return !byId("view-photo").hidden && !document.querySelector("dialog[open]");
  }

  byId("dropzone").addEventListener("submit", (event) => event.preventDefault());
  byId("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) give(file);
  });
  byId("take").addEventListener("click", async () => {
    const file = await takePhoto();
    if (file) give(file);
  });
  byId("paste").addEventListener("click", async () => {
    const file = await fromClipboard();
    if (file) give(file);
    else showError(errorBox, new Problem(text("nothing_to_paste")));
  });
  byId("sample")?.addEventListener("click", async () => {
    try {
      give(await sample());
    } catch (error) {
      showError(errorBox, error);
    }
  });
  document.addEventListener("paste", (event) => {
    if (!shown()) return;
    const [file] = event.clipboardData.files;
    if (file) {
      event.preventDefault();
      give(file);
    } else if (!/^(input|textarea)$/i.test(event.target.tagName ?? "")) {
      showError(errorBox, new Problem(text("nothing_to_paste")));
    }
  });
  dropAnywhere((file) => {
    if (shown()) give(file);
  });
  return { give, leave: stopVoice };
}

async function fromClipboard() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((name) => name.startsWith("image/"));
      if (type) return new File([await item.getType(type)], "pasted", { type });
    }
  } catch {
    // Not allowed, or not known to this browser: the keyboard's paste still works.
  }
  return null;
}

function dropAnywhere(give) {
  const overlay = byId("drop-overlay");
  let depth = 0;
  const set = (value) => {
    depth = Math.max(0, value);
    overlay.classList.toggle("shown", depth > 0 && !byId("view-photo").hidden);
  };
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragenter", (event) => carriesFiles(event) && set(depth + 1));
  document.addEventListener("dragleave", (event) => carriesFiles(event) && set(depth - 1));
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    set(0);
    const [file] = event.dataTransfer.files;
    if (file) give(file);
  });
}
