// The gallery: finding a person by name, and a look at one.

import { findPeople, portraitUrl } from "./api.js";
import { showCredit } from "./answer.js";
import { byId, h, number, showError, text } from "./dom.js";

const PAUSE_MS = 200; // between the last key and the search

export function startCelebrities() {
  const list = byId("people");
  const count = byId("search-count");
  const more = byId("more-people");
  const input = byId("search");
  let nextPage = "";
  let running = null;
  let timer = 0;
  let filled = false;

  async function load(append) {
    running?.abort();
    running = new AbortController();
    showError(byId("search-error"), null);
    try {
      const page = await findPeople(input.value.trim(), append ? nextPage : "", running.signal);
      const items = page.celebrities.map(draw);
      if (append) list.append(...items);
      else list.replaceChildren(...items);
      if (append) items[0]?.querySelector("button").focus();
      nextPage = page.next_page_token;
      more.hidden = !nextPage;
      count.textContent = page.total_size
        ? text("found", { count: number(page.total_size) })
        : text("nobody");
      filled = true;
    } catch (error) {
      if (error.name !== "AbortError") showError(byId("search-error"), error, () => load(append));
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => load(false), PAUSE_MS);
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    load(false);
  });
  more.addEventListener("click", () => load(true));
  return {
    enter() {
      if (!filled) load(false);
    },
  };
}

function draw(person) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "person", onclick: () => open(person) },
      h("img", { src: portraitUrl(person.id), alt: "", loading: "lazy" }),
      h("span", { dir: "auto" }, person.name),
    ),
  );
}

function open(person) {
  const credit = h("figcaption", { class: "credit" });
  showCredit(credit, person.id);
  byId("person-name").textContent = person.name;
  byId("person-body").replaceChildren(
    h("figure", { class: "portrait" }, h("img", { src: portraitUrl(person.id, 500), alt: text("portrait_of", { name: person.name }) }), credit),
    person.aliases.length ? h("p", {}, text("also_known_as", { names: person.aliases.join(", ") })) : "",
    h("ul", { class: "chips" }, person.tags.map((tag) => h("li", {}, tag.replace(":", ": ")))),
    person.wikidata_id
      ? h(
          "p",
          {},
          h(
            "a",
            {
              href: `https://www.wikidata.org/wiki/${encodeURIComponent(person.wikidata_id)}`,
              rel: "noopener noreferrer",
              target: "_blank",
            },
            text("on_wikidata"),
          ),
        )
      : "",
  );
  byId("person-dialog").showModal();
}
