// A classic script in the head, so that a chosen theme is there before the first paint.
"use strict";

(() => {
  const KEY = "ioto-theme";
  const root = document.documentElement;

  // Storage throws where the person has switched it off; the choice then lasts as long as the page.
  const recall = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const remember = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Nothing to do: see recall.
    }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };

  apply(recall());

  document.addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme");
    const current = root.dataset.theme ?? "system";
    choice.querySelector(`input[value="${current}"]`).checked = true;
    choice.addEventListener("change", (event) => {
      apply(event.target.value);
      remember(event.target.value);
    });
  });
})();
