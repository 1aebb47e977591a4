// Keeps a page as new as the ledger: on every event it asks for the page again and puts the fresh content in place.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  const state = document.getElementById("live-state");
  const pause = 400; // ms: a burst of events asks once
  const tick = 30000; // ms: "3 min ago" grows old without events too
  const say = (words) => { if (state && state.textContent !== words) state.textContent = words; };
  if (!main || !window.EventSource) return;
  let timer = null;
  let busy = false;
  let again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      const field = document.activeElement;
      const writes = field && main.contains(field) && /^(INPUT|SELECT)$/.test(field.tagName);
      if (fresh && !writes && fresh.innerHTML !== main.innerHTML) place(fresh);
      say("· live");
    } catch (error) {
      say("· waiting for the server");
    }
    busy = false;
    if (again) { again = false; later(); }
  };
  const place = (fresh) => {
    const open = [...main.querySelectorAll("[id] details[open]")].map((item) => item.closest("[id]").id).filter((id) => id !== main.id);
    const scrolls = [...main.querySelectorAll(".scroll")].map((item) => [item.scrollLeft, item.scrollTop]);
    const focused = document.activeElement;
    const address = focused && main.contains(focused) ? focused.getAttribute("href") : null;
    main.replaceChildren(...fresh.childNodes);
    for (const id of open) document.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
    main.querySelectorAll(".scroll").forEach((item, index) => {
      if (scrolls[index]) [item.scrollLeft, item.scrollTop] = scrolls[index];
    });
    if (address) [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === address)?.focus({ preventScroll: true });
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(refresh, pause); };
  const source = new EventSource("/v1/events/live");
  source.onopen = () => say("· live");
  source.onmessage = later;
  source.onerror = () => say("· waiting for the server");
  setInterval(() => { if (!document.hidden) later(); }, tick);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) later(); });
})();
