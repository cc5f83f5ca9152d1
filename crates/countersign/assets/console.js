// Keeps pages current and holds Approve back until everything hidden was opened.
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

  listen();
})();
