// Keeps the page up to date. Without it the page is the same, as of when it was loaded.
"use strict";
(() => {
  const live = document.getElementById("live");
  const PAUSE_MS = 1000;
  let seen = 0;
  let on = true;

  // What a reader folded or unfolded stays so.
  const folds = new Map();
  const key = (details) => {
    const all = document.querySelectorAll(`details[data-key="${CSS.escape(details.dataset.key)}"]`);
    return `${details.dataset.key}/${[...all].indexOf(details)}`;
  };
  document.addEventListener("click", (event) => {
    const summary = event.target.closest("summary");
    if (summary) {
      const details = summary.parentElement;
      if (details.dataset.key) folds.set(key(details), !details.open);
    }
    const fold = event.target.closest("[data-fold]");
    if (fold) {
      for (const details of document.querySelectorAll("#log details")) {
        details.open = fold.dataset.fold === "open";
        folds.set(key(details), details.open);
      }
    }
  });

  const prepare = () => {
    for (const hidden of document.querySelectorAll(".folding")) hidden.hidden = false;
    for (const details of document.querySelectorAll("details[data-key]")) {
      const open = folds.get(key(details));
      if (open !== undefined) details.open = open;
    }
  };

  // Changes only what differs, so that the rest keeps focus, selection and place.
  const update = (old, now) => {
    if (old.isEqualNode(now)) return;
    if (old.nodeName !== now.nodeName) {
      old.replaceWith(now);
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = now.nodeValue;
    } else {
      const kept = (name) => name === "hidden" || (name === "open" && old.dataset.key);
      for (const { name } of [...old.attributes]) {
        if (!kept(name) && !now.hasAttribute(name)) old.removeAttribute(name);
      }
      for (const { name, value } of now.attributes) {
        if (!kept(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
      }
      const [before, after] = [[...old.childNodes], [...now.childNodes]];
      after.forEach((child, index) => (index < before.length ? update(before[index], child) : old.append(child)));
      before.slice(after.length).forEach((child) => child.remove());
    }
  };

  const refresh = async () => {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const log = document.getElementById("log");
    const atEnd = log && log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const top = log ? log.scrollTop : 0;
    document.title = page.title;
    update(document.querySelector(".live span"), page.querySelector(".live span"));
    update(document.querySelector("main"), page.querySelector("main"));
    prepare();
    const after = document.getElementById("log");
    if (after) after.scrollTop = atEnd ? after.scrollHeight : top;
  };

  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const follow = async () => {
    for (;;) {
      try {
        const answer = await fetch(`/page/changes?seen=${seen}`, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.statusText);
        const count = Number(await answer.text());
        if (on && count !== seen) {
          await refresh();
          seen = count;
        }
        live.textContent = "Live";
      } catch {
        live.textContent = "No answer from the server";
        await sleep(2 * PAUSE_MS);
      }
      await sleep(PAUSE_MS);
    }
  };

  // Ages go on by themselves.
  const age = () => {
    for (const time of document.querySelectorAll("time.ago")) {
      const s = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
      const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
      const text = d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
      if (time.textContent !== `${text} ago`) time.textContent = `${text} ago`;
    }
  };

  live.hidden = false;
  live.addEventListener("click", () => {
    on = !on;
    live.setAttribute("aria-pressed", String(on));
    if (on) seen = 0;
  });
  prepare();
  const log = document.getElementById("log");
  if (log && !location.hash) log.scrollTop = log.scrollHeight;
  setInterval(() => on && age(), 1000);
  follow();
})();
