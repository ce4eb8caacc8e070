(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const toggle = document.getElementById("theme");
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { toggle.textContent = isDark() ? "Light page" : "Dark page"; };
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  label();

  const documents = [...document.querySelectorAll("details.document")];
  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const parent = target && target.closest("details");
    if (parent && !parent.open) {
      parent.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  let before = null;
  addEventListener("beforeprint", () => {
    before = documents.map((d) => d.open);
    documents.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => {
    if (before) documents.forEach((d, i) => { d.open = before[i]; });
  });
  for (const [id, open] of [["open-all", true], ["close-all", false]]) {
    const button = document.getElementById(id);
    if (button) button.addEventListener("click", () => {
      documents.forEach((d) => { d.open = open; });
    });
  }

  const form = document.getElementById("filter");
  if (!form) return;
  const status = document.getElementById("filter-status");
  const apply = () => {
    const data = new FormData(form);
    const levels = new Set(data.getAll("certainty"));
    const type = data.get("type");
    const interest = data.get("interest");
    let claims = 0;
    let shown = 0;
    for (const item of documents) {
      const fits = !interest || item.dataset.interest === interest;
      item.hidden = !fits;
      if (fits) shown += 1;
      for (const mark of item.querySelectorAll(".claim")) {
        const on = fits && levels.has(mark.dataset.certainty) && (!type || mark.dataset.type === type);
        mark.classList.toggle("dimmed", !on);
        if (on && mark.id) claims += 1;
      }
    }
    status.textContent = `${claims} claims marked in ${shown} documents`;
  };
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
