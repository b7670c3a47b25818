"use strict";
(() => {
  const PAGE = 50, ON_PAPER = 500;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const byId = (id) => document.getElementById(id);
  const texts = read("row-texts");
  const lines = read("row-lines");
  // Positions in a line, and which of them are indices into texts.
  const ROW = 0, OUTCOME = 1, REASON = 2, MESSAGE = 3, ORCHESTRATOR = 4, MACHINE = 5,
    PATH = 6, ALIAS = 7, SUBJECT = 8, TYPE = 9, WAVE = 10, TOOK = 12, FINISHED = 13,
    BEFORE = 14, AFTER = 15, CAUSE = 16;
  const INTERNED = [OUTCOME, REASON, MESSAGE, ORCHESTRATOR, MACHINE, TYPE, WAVE];
  const SUCCESS = ["verified", "succeeded", "skipped_already_rotated"];
  const LEFT = ["not_attempted", "cancelled", "skipped_excluded"];

  const body = byId("row-table").tBodies[0];
  const find = byId("find"), cause = byId("cause"), outcome = byId("outcome"), order = byId("order");
  const back = byId("back"), on = byId("on"), shown = byId("shown");
  let chosen = lines, first = 0;

  const side = (name) => SUCCESS.includes(name) ? "success"
    : LEFT.includes(name) ? "remaining" : "failure";
  const count = (n) => n.toLocaleString("en-US");
  const words = (name) => name.replaceAll("_", " ");

  function duration(s) {
    if (s === null) return "–";
    if (s < 10) return s.toFixed(1) + " s";
    const whole = Math.round(s), two = (n) => String(n).padStart(2, "0");
    if (whole < 60) return whole + " s";
    if (whole < 3600) return Math.floor(whole / 60) + " min " + two(whole % 60) + " s";
    return count(Math.floor(whole / 3600)) + " h " + two(Math.floor(whole % 3600 / 60)) + " min";
  }

  // Only textContent below: no text of a row is ever read as markup.
  function element(name, className, ...children) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  function cell(label, className, ...children) {
    const made = element("td", className, ...children);
    made.dataset.label = label;
    return made;
  }

  function tableRow(line) {
    const name = texts[line[OUTCOME]], reason = texts[line[REASON]];
    const head = element("th", "", line[ROW]);
    head.scope = "row";
    const store = element("span", "", texts[line[MACHINE]] + " ", element("span", "muted", line[PATH]));
    if (line[ALIAS] && (line[PATH] || texts[line[MACHINE]])) store.append(element("br"));
    if (line[ALIAS]) store.append(element("span", "muted", "alias"), " " + line[ALIAS]);
    const expires = element("span", "", line[BEFORE].slice(0, 10) || "–");
    if (line[AFTER]) expires.append(" ", element("span", "muted", "→"), " " + line[AFTER].slice(0, 10));
    const why = element("span");
    if (reason) why.append(element("code", "", reason), " ");
    why.append(texts[line[MESSAGE]]);
    return element("tr", "", head,
      cell("Outcome", "", element("span", "chip chip-" + side(name), words(name))),
      cell("Store", "", store),
      cell("Orchestrator", "", texts[line[ORCHESTRATOR]]),
      cell("Expires", "", expires),
      cell("Took", "num", duration(line[TOOK])),
      cell("Why", "", why));
  }

  const haystacks = new Array(lines.length);
  function haystack(i) {
    if (haystacks[i] === undefined) {
      haystacks[i] = lines[i].slice(0, CAUSE).map((value, at) => INTERNED.includes(at) ? texts[value] : value)
        .join("\n").toLowerCase();
    }
    return haystacks[i];
  }

  function choose() {
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const only = outcome.value && texts.indexOf(outcome.value);
    const why = cause.value && Number(cause.value);
    chosen = lines.filter((line, i) => (only === "" || line[OUTCOME] === only)
      && (why === "" || line[CAUSE] === why)
      && wanted.every((word) => haystack(i).includes(word)));
    if (order.value === "slow") chosen.sort((a, b) => (b[TOOK] ?? -1) - (a[TOOK] ?? -1));
    if (order.value === "late") chosen.sort((a, b) => a[FINISHED] < b[FINISHED] ? 1 : a[FINISHED] > b[FINISHED] ? -1 : 0);
    first = 0;
    show();
  }

  function show(n = PAGE) {
    body.replaceChildren(...chosen.slice(first, first + n).map(tableRow));
    const last = Math.min(first + n, chosen.length);
    shown.textContent = chosen.length === 0 ? "No row fits."
      : "Rows " + count(first + 1) + " to " + count(last) + " of " + count(chosen.length)
        + (chosen.length < lines.length ? " that fit, " + count(lines.length) + " in all" : "");
    back.disabled = first === 0;
    on.disabled = last >= chosen.length;
  }

  function turn(step) {
    first += step;
    show();
    byId("rows").scrollIntoView();
  }

  let pending = 0;
  find.addEventListener("input", () => { clearTimeout(pending); pending = setTimeout(choose, 120); });
  find.form.addEventListener("submit", (event) => event.preventDefault());
  cause.addEventListener("change", choose);
  outcome.addEventListener("change", choose);
  order.addEventListener("change", choose);
  back.addEventListener("click", () => turn(-PAGE));
  on.addEventListener("click", () => turn(PAGE));
  for (const button of document.querySelectorAll("[data-cause]")) {
    button.addEventListener("click", () => {
      cause.value = button.dataset.cause;
      find.value = outcome.value = "";
      choose();
      byId("rows").scrollIntoView();
    });
  }
  addEventListener("beforeprint", () => show(ON_PAPER));
  addEventListener("afterprint", () => show());
  document.documentElement.classList.add("scripted");
  show();
})();
