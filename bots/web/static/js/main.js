// Which view is shown, the theme and the language; each view has a file of its own.

import { byId, settings } from "./dom.js";
import { startCelebrities } from "./celebrities.js";
import { startCompare } from "./compare.js";
import { startLive } from "./live.js";
import { startPhoto } from "./photo.js";

const photo = startPhoto();
const views = {
  photo,
  live: startLive((file) => {
    location.hash = "#photo";
    photo.give(file);
  }),
  compare: startCompare(),
  celebrities: startCelebrities(),
};

let current = "photo";

function show(moveFocus) {
  const wanted = location.hash.slice(1);
  const name = Object.hasOwn(views, wanted) ? wanted : "photo";
  if (name !== current) views[current].leave?.();
  current = name;
  for (const key of Object.keys(views)) byId(`view-${key}`).hidden = key !== name;
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views[name].enter?.();
  if (moveFocus) {
    byId(`${name}-title`).focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

window.addEventListener("hashchange", () => {
  // The skip link's target is no view.
  if (location.hash !== "#main") show(true);
});
show(false);

byId("language").addEventListener("change", (event) => event.target.form.submit());

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Forbidden storage: the choice lasts until the page is closed.
  }
});

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  // A click beside the dialog closes it, as people expect.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

document.documentElement.dataset.ready = settings.language;
