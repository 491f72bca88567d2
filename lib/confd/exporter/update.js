// Copyright (C) 2026 the ganeti-confd authors
// SPDX-License-Identifier: BSD-2-Clause

// Updates a page in place whenever the server reports a change, and once a
// minute for the ages.
//
// - The form is outside of the part that is replaced, so typed text stays.
// - The state of the cluster in the page's header is replaced, too.
// - Unfolded elements stay unfolded.
// - Focus and scroll positions are restored after an update.
// - No update happens while text is selected.
// - The element "news" is a live region, which screen readers read out. Its
//   text is short: the new state of the cluster, or that the server is gone.
// - A hidden page closes its event stream: browsers open no more than six
//   connections to one server.

"use strict";
const live = document.getElementById("live");
const news = document.getElementById("news");
let source = null, busy = false, again = false, lost = false;

function put(fresh, state) {
  const old = document.getElementById("state");
  if (old && state) old.replaceWith(state);
  for (const box of live.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector("#" + box.id);
    if (same) same.open = true;
  }
  if (fresh.isEqualNode(live)) return;
  const focused = live.contains(document.activeElement) &&
    document.activeElement;
  const href = focused && focused.getAttribute("href");
  const scrolled = [...live.querySelectorAll(".wide")].map(
    (box) => [box.scrollLeft, box.scrollTop]);
  const index = focused ? [...live.querySelectorAll("*")].indexOf(focused) : -1;
  const place = [scrollX, scrollY];
  if (fresh.dataset.summary !== live.dataset.summary)
    news.textContent = fresh.dataset.summary;
  live.dataset.summary = fresh.dataset.summary;
  live.replaceChildren(...fresh.childNodes);
  [...live.querySelectorAll(".wide")].forEach((box, i) => {
    if (scrolled[i]) [box.scrollLeft, box.scrollTop] = scrolled[i];
  });
  const next = [...live.querySelectorAll("a")].find(
    (link) => href !== null && link.getAttribute("href") === href) ||
    live.querySelectorAll("*")[index];
  if (focused && next) next.focus({preventScroll: true});
  scrollTo(...place);
}

async function update() {
  again = true;
  if (busy) return;
  busy = true;
  try {
    while (again) {
      again = false;
      const reply = await fetch(location.href);
      const page = new DOMParser().parseFromString(await reply.text(),
                                                   "text/html");
      const fresh = page.getElementById("live");
      if (!fresh) throw new Error(reply.status);
      while (!getSelection().isCollapsed)
        await new Promise((done) => setTimeout(done, 500));
      put(fresh, page.getElementById("state"));
      if (lost) news.textContent = live.dataset.summary;
      lost = false;
    }
  } catch (error) {
    lose();
  } finally {
    busy = false;
  }
}

function lose() {
  if (!lost) news.textContent = "The server does not answer: this page stays" +
    " as it was at " + new Date().toLocaleTimeString() + ".";
  lost = true;
}

function listen() {
  if (source || document.hidden) return;
  source = new EventSource(live.dataset.events);
  source.onmessage = source.onopen = update;
  source.onerror = () => {
    lose();
    // An event source whose request was refused does not reconnect by itself
    if (source.readyState === EventSource.CLOSED) source = null;
  };
}

function rest() {
  if (source) source.close();
  source = null;
}

document.addEventListener("visibilitychange",
                          () => document.hidden ? rest() : listen());
addEventListener("pagehide", rest);
addEventListener("pageshow", listen);
setInterval(() => document.hidden || (listen(), update()), 60000);
listen();
