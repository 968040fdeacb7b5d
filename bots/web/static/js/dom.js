// Small helpers for making and finding elements, and for the page's texts.

const settings = JSON.parse(document.getElementById("settings").textContent);

/** What the server told the page: texts by key, limits, language. */
export { settings };

/** The text of `key` in the page's language, with `{name}` filled in. */
export function text(key, values = {}) {
  const template = settings.texts[key];
  if (template === undefined) throw new Error(`no such text: ${key}`);
  return template.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** A name in a heading, with the words of `key` before and after it where the language has them. */
export function named(key, name) {
  const [before, after] = settings.texts[key].split("{name}");
  const quiet = (words) => (words.trim() ? h("span", { class: "quiet" }, words.trim()) : null);
  return [quiet(before), " ", h("bdi", {}, name), " ", quiet(after)].filter(Boolean);
}

/** A number as people of the page's language write it. */
export function number(value, options = {}) {
  return new Intl.NumberFormat(settings.language, options).format(value);
}

export function byId(id) {
  return document.getElementById(id);
}

/**
 * An element. Properties named `on…` become listeners, `data`/`style` take
 * objects, everything else is set as an attribute; null and false leave it out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") {
      for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
    } else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** One of the icons that the page carries. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function button(label, iconName, onclick, properties = {}) {
  return h(
    "button",
    { type: "button", class: "button", onclick, ...properties },
    icon(iconName),
    h("span", {}, label),
  );
}

/** Show `message` in an alert box with a way to try again, or clear it. */
export function showError(box, error, retry = null) {
  box.replaceChildren();
  if (!error) return;
  box.append(h("p", {}, error.message));
  if (retry) box.append(h("button", { type: "button", class: "button small", onclick: retry }, text("retry")));
}

/** Say that work goes on: a spinner, and words for those who do not see it. */
export function showBusy(box, message) {
  box.replaceChildren();
  if (message) box.append(h("span", { class: "spinner", "aria-hidden": "true" }), h("span", {}, message));
}
