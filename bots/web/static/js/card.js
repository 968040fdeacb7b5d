// The card to share: drawn by the server, shown in a dialog with its buttons.

import { makeCard } from "./api.js";
import { byId, showBusy, showError, text } from "./dom.js";

let url = null;

/** Open the dialog. `view`: {face, match}, or {} for all faces; `names`: who is on the card. */
export async function openCard(file, view, names) {
  const dialog = byId("card-dialog");
  const image = byId("card-image");
  const status = byId("card-status");
  const errorBox = byId("card-error");
  const buttons = [byId("card-share"), byId("card-download"), byId("card-copy")];
  const controller = new AbortController();

  image.hidden = true;
  for (const item of buttons) item.hidden = true;
  showError(errorBox, null);
  showBusy(status, text("making_card"));
  dialog.showModal();
  dialog.addEventListener(
    "close",
    () => {
      controller.abort();
      image.removeAttribute("src");
      byId("card-download").removeAttribute("href");
      if (url) URL.revokeObjectURL(url);
      url = null;
    },
    { once: true },
  );
  try {
    const blob = await makeCard(file, view, controller.signal);
    url = URL.createObjectURL(blob);
    image.src = url;
    image.alt = `${text("your_card")}: ${names}`;
    image.hidden = false;
    showBusy(status, "");
    offer(blob, status);
  } catch (error) {
    if (error.name === "AbortError") return;
    showBusy(status, "");
    showError(errorBox, error);
  }
}

function offer(blob, status) {
  const file = new File([blob], "lookalike.jpg", { type: blob.type });
  const share = byId("card-share");
  share.hidden = !navigator.canShare?.({ files: [file] });
  share.onclick = async () => {
    try {
      await navigator.share({ files: [file], title: "Lookalike" });
    } catch {
      // Closed without sharing.
    }
  };
  const download = byId("card-download");
  download.href = url;
  download.hidden = false;
  const copy = byId("card-copy");
  copy.hidden = !(navigator.clipboard?.write && window.ClipboardItem);
  copy.onclick = async () => {
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(blob) })]);
      status.replaceChildren(text("copied"));
    } catch {
      status.replaceChildren(text("went_wrong"));
    }
  };
}

/** Clipboards take PNG only. */
async function asPng(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
