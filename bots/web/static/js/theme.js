// Runs before the page is drawn, so that a chosen theme does not flash.
"use strict";
{
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  } catch {
    // Storage may be forbidden; the system's theme is used then.
  }
}
