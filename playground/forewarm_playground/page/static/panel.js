// The panel beside the chat shows the bot's own /state stream.

import { byId, el, seconds } from "./dom.js";

const PARTS = ["delivery", "queue", "join", "prefill", "thinking", "paint"];
const LIVES = { "5m": 300, "1h": 3600 };
let state = null;
let skew = 0; // the bot's clock minus this one, in seconds
let speed = null; // tokens of a prompt that the model reads in a second, if known

export async function follow(url, prefillSpeed) {
  speed = prefillSpeed;
  for (;;) {
    try {
      await read(url);
    } catch {
      byId("link").textContent = "the bot is not reachable; trying again…";
    }
    await new Promise((done) => setTimeout(done, 1000));
  }
}

async function read(url) {
  const response = await fetch(url, { headers: { accept: "text/event-stream" } });
  if (!response.ok) throw new Error(String(response.status));
  byId("link").textContent = "live, from the bot's own journal";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const events = rest.split("\n\n");
    rest = events.pop();
    events.forEach(take);
  }
}

function take(event) {
  const data = event.split("\n").filter((l) => l.startsWith("data:")).map((l) => l.slice(5)).join("\n");
  if (!data.trim()) return;
  const name = /^event: ?(.*)$/m.exec(event)?.[1] ?? "state";
  const document = JSON.parse(data);
  state = name === "change" ? merged(state, document) : document;
  if (document.now) skew = document.now - Date.now() / 1000;
  learnSpeed();
  draw();
}

// A request that read nothing from the cache measures the prefill.
function learnSpeed() {
  for (const prefix of Object.values(state.prefixes ?? {})) {
    const last = prefix?.last_request;
    if (last?.purpose === "warm" && !last.read && last.seconds > 1) speed = prefix.tokens / last.seconds;
  }
}

function now() {
  return Date.now() / 1000 + skew;
}

// A change carries the entries that differ, each whole, null for a removed one.
function merged(old, change) {
  const result = { ...old, ...change };
  for (const part of ["prefixes", "questions"]) {
    const entries = Object.entries({ ...old?.[part], ...change[part] });
    result[part] = Object.fromEntries(entries.filter(([, entry]) => entry !== null));
  }
  return result;
}

function draw() {
  if (!state) return;
  const prefixes = Object.entries(state.prefixes ?? {}).filter(([, p]) => p);
  byId("prefixes").replaceChildren(...prefixes.map(([key, p]) => prefixCard(key, p)));
  const questions = Object.entries(state.questions ?? {}).filter(([, q]) => q)
    .sort(([, a], [, b]) => b.at - a.at).slice(0, 12);
  const longest = Math.max(1, ...questions.map(([, q]) => q.wait?.total ?? 0));
  const cards = questions.map(([id, q]) => questionCard(id, q, longest));
  byId("waits").replaceChildren(...(cards.length ? [legend(), ...cards] : [dim("None yet: ask one.")]));
  drawMoney(state.money ?? {});
}

function dim(text) {
  return el("div", { class: "dim" }, text);
}

function prefixCard(key, prefix) {
  const left = prefix.alive_until ? prefix.alive_until - now() : 0;
  const warm = prefix.state === "warm" && left > 0;
  const shown = prefix.state === "warm" && !warm ? "cold" : prefix.state;
  const at = (prefix.repositories ?? []).map((r) => `${r.name}@${r.commit.slice(0, 7)}`).join(", ");
  const card = el("div", { class: `card ${shown}`, "data-prefix": key, "data-state": shown },
    el("div", { class: "top" },
      el("strong", {}, prefix.contexts?.join(", ") || "earlier"),
      el("span", { class: `pill ${shown}` }, warm ? `warm ${countdown(left)}` : shown)),
    dim(`${(prefix.tokens ?? 0).toLocaleString()} tokens, ${prefix.model}`));
  if (at) card.append(dim(at));
  if (warm) {
    const share = Math.min(100, 100 * left / LIVES[prefix.ttl ?? "5m"]);
    const life = el("i");
    life.style.width = `${share}%`;
    card.append(el("div", { class: "life", title: "cache life left" }, life));
  }
  if (shown === "warming") card.append(...prefillProgress(prefix));
  card.append(el("div", { class: "why" }, why(prefix, shown)));
  const last = prefix.last_request;
  if (last) {
    card.append(dim(`last ${last.purpose}: ${last.read} read, ${last.written} written, ` +
      `${seconds(last.seconds)}${last.missed ? `; missed: ${last.missed}` : ""}`));
  }
  return card;
}

// The governor's own sentence, or what is known without one.
function why(prefix, shown) {
  if (prefix.decision?.reason) return sentence(prefix.decision.reason);
  if (prefix.last_miss?.reason) return sentence(`missed: ${prefix.last_miss.reason}`);
  return shown === "cold" ? "Cold: no decision has been made yet." : "";
}

function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}` : "";
}

function prefillProgress(prefix) {
  const since = Math.max(0, now() - (prefix.warming_since ?? now()));
  const total = speed ? prefix.tokens / speed : null;
  const text = `Prefill: ${Math.floor(since)} s${total ? ` of about ${Math.ceil(total)} s` : ""}`;
  const bar = el("progress", { max: 1, "aria-label": "Prefill" });
  if (total) bar.value = Math.min(0.99, since / total);
  return [dim(text), bar];
}

function countdown(left) {
  const minutes = Math.floor(left / 60);
  return `${minutes}:${String(Math.floor(left % 60)).padStart(2, "0")}`;
}

function legend() {
  return el("div", { class: "legend" }, PARTS.map((part) => {
    const mark = el("i");
    mark.style.background = `var(--${part})`;
    return el("span", {}, mark, part);
  }));
}

function questionCard(id, question, longest) {
  const wait = question.wait;
  const card = el("div", {
    class: `card ${question.warm ? "warm" : ""}`, "data-question": id,
    "data-stage": question.stage, "data-wait": wait ? wait.total : "",
    "data-warm": question.warm === null ? "" : String(question.warm),
  }, el("div", { class: "top" },
    el("span", {}, `${question.surface}, ${question.context ?? "no context"}`),
    wait ? el("span", { class: "seconds" }, seconds(wait.total)) : el("span", { class: "pill warming" }, waiting(question))));
  if (wait) {
    const bar = el("div", { class: "bar" }, PARTS.map((part) => {
      const piece = el("i", { title: `${part}: ${seconds(wait[part])}` });
      piece.style.width = `${100 * (wait[part] ?? 0) / longest}%`;
      piece.style.background = `var(--${part})`;
      return piece;
    }));
    const parts = PARTS.filter((part) => wait[part] === null || wait[part] >= 0.0005)
      .map((part) => `${part} ${seconds(wait[part])}`);
    card.append(bar, dim(parts.join(" · ")));
    card.append(dim(`${warmth(question)}: ${question.read} tokens read, ` +
      `${question.written} written, ${dollars(question.usd)}`));
  }
  if (question.outcome && question.outcome !== "answered") card.append(dim(question.outcome));
  return card;
}

// A question that has no words yet counts its seconds.
function waiting(question) {
  if (question.stage === "ended") return question.stage;
  return `${question.stage} ${Math.max(0, Math.floor(now() - (question.asked_at ?? question.at)))} s`;
}

// A question that waited for a warm-up read from the cache, but its user waited.
function warmth(question) {
  if (!question.warm) return "cold";
  return question.wait.join > 0.5 ? "joined the warm-up" : "warm";
}

function dollars(usd) {
  return usd ? `$${usd < 0.1 ? usd.toFixed(4) : usd.toFixed(2)}` : "$0";
}

function drawMoney(money) {
  const rows = ["answers", "warmth", "drafts", "usd"].map((key) =>
    el("tr", {}, el("td", {}, key === "usd" ? "together" : key), el("td", {}, dollars(money[key] ?? 0))));
  byId("money").replaceChildren(el("table", {}, el("tbody", {}, rows)));
}

setInterval(draw, 1000);
