// Keeps pages current, moves by keys, and holds Approve back until everything hidden was opened.
// Every page works without it. It makes no markup: it only moves nodes that the server printed.
(() => {
  "use strict";
  const live = () => document.getElementById("live");
  let source = null;
  let timer = 0;

  async function look() {
    const here = live();
    if (!here) return;
    let answer;
    try {
      answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
    } catch {
      return;
    }
    if (answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    const count = page.getElementById("count");
    if (count) document.getElementById("count")?.replaceWith(document.adoptNode(count));
    // How much waits stands in the title, too. The rest of the title stays what it was.
    const waiting = /^\(\d+\+?\) /;
    document.title = (page.title.match(waiting)?.[0] ?? "") + document.title.replace(waiting, "");
    if (!fresh) return;
    if (here.dataset.live === "tell") {
      // Never change a card under the hand of somebody who is about to decide on it.
      const moved = document.getElementById("moved");
      if (moved && fresh.dataset.version !== here.dataset.version) moved.hidden = false;
      return;
    }
    const same = here.dataset.version && here.dataset.version === fresh.dataset.version;
    const focus = here.contains(document.activeElement) ? document.activeElement : null;
    if (same || here.isEqualNode(fresh) || (focus && focus.tagName !== "A")) return;
    const open = new Set([...here.querySelectorAll("details")].flatMap((d, i) => (d.open ? [i] : [])));
    here.replaceWith(document.adoptNode(fresh));
    live().querySelectorAll("details").forEach((d, i) => { d.open = open.has(i); });
    if (focus) [...live().querySelectorAll("a")].find((a) => a.href === focus.href)?.focus();
  }

  function listen() {
    if (source || !live() || document.hidden) return;
    source = new EventSource("/events");
    // Something may have moved between the page and the stream.
    source.addEventListener("open", look);
    source.addEventListener("changed", () => {
      clearTimeout(timer);
      timer = setTimeout(look, 200);
    });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      look();
      listen();
    }
  });
  addEventListener("pagehide", () => source?.close());

  const seen = document.querySelector("[data-seen]");
  if (seen) {
    const cuts = [...document.querySelectorAll(".facts details[data-cut]")];
    const buttons = document.querySelectorAll("[data-approve]");
    const reasons = document.querySelectorAll("[data-held]");
    const counts = document.querySelectorAll("[data-opened]");
    const read = new Set();
    const check = () => {
      seen.disabled = read.size < cuts.length;
      for (const button of buttons) button.disabled = !seen.checked;
      for (const reason of reasons) reason.hidden = seen.checked;
      for (const count of counts) count.textContent = read.size;
    };
    for (const cut of cuts) {
      cut.addEventListener("toggle", () => {
        if (cut.open) read.add(cut);
        check();
      });
    }
    seen.addEventListener("change", check);
    check();
  }

  // Keys move and open. None of them decides: there is no key that presses a button.
  const step = (by) => {
    const rows = [...document.querySelectorAll(".rows a, .events > li")];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
    const link = next?.matches("a") ? next : next?.querySelector("a, summary");
    link?.focus();
    link?.scrollIntoView({ block: "nearest" });
  };
  const go = (to) => {
    if (document.querySelector(`.top nav a[href="${to}"]`)) location.assign(to);
  };
  const keys = {
    "j": () => step(1),
    "k": () => step(-1),
    "/": () => document.getElementById("text")?.focus(),
    "g i": () => go("/"),
    "g h": () => go("/history"),
    "g l": () => go("/log"),
    "?": () => location.assign("/help/keys"),
  };
  let before = "";
  let until = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) {
      before = "";
      return;
    }
    if (event.key === "Shift") return;
    const prefix = event.timeStamp < until ? before : "";
    const run = keys[prefix + event.key];
    before = event.key === "g" && !prefix ? "g " : "";
    until = event.timeStamp + 1500;
    if (!run) return;
    event.preventDefault();
    run();
  });

  listen();
})();
