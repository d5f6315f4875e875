// The page: a chat beside the panel. The address names the user: ?user=U0ASKER.

import { blocks } from "./blocks.js";
import { composer, message } from "./chat.js";
import { Connection } from "./connection.js";
import { byId, el, fill, toast } from "./dom.js";
import { chosenValue, showModals } from "./modal.js";
import { follow } from "./panel.js";

const page = {
  snapshot: null, channel: null, thread: null, tab: "messages",
  messages: new Map(), statuses: new Map(), sessions: new Map(), unread: new Set(),
  updated: new Map(), beat: 0,  // the beat of each message's last update, to tell it from older copies
  introduction: { notice: "", questions: [], channel: "", prefill_speed: null },
  prompts: null, home: null, people: new Map(), channels: new Map(),
};
let connection;

const names = {
  user: (id) => (id === page.snapshot?.app.bot_user ? page.snapshot.app.name : page.people.get(id)?.name) ?? id,
  channel: (id) => page.channels.get(id)?.name ?? id,
};

async function act(verb, members) {
  try {
    return await connection.act(verb, members);
  } catch (error) {
    toast(error.message);
    return null;
  }
}

const doing = {
  get me() { return page.snapshot.me.id; },
  get people() { return page.people; },
  get messageShortcuts() { return page.snapshot.app.shortcuts.filter((s) => s.type === "message"); },
  names,
  act: (item, element, extra) => act("click", {
    channel: page.channel, ts: item.ts, action_id: element.action_id, value: chosenValue(extra),
  }),
  openThread,
  repliesTo: (item) => [...page.messages.values()]
    .filter((other) => other.thread_ts === item.ts && other.ts !== item.ts).length,
  shortcut: (callback, ts) => act("message_shortcut", { channel: page.channel, ts, callback_id: callback }),
  react: (ts) => act("react", { channel: page.channel, ts, name: "eyes" }),
  edit: async (item) => {
    const text = prompt("Edit the message", readable(item.text));
    if (text !== null && text.trim()) await act("edit", { channel: page.channel, ts: item.ts, text });
  },
  remove: (ts) => act("delete", { channel: page.channel, ts }),
};

function readable(text) {
  return text.replace(/<@([A-Z0-9]+)>/g, (_, id) => `@${names.user(id)}`)
    .replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

// --- frames ---------------------------------------------------------------------------------------

// A status counts its seconds from when it was first set, whatever its words are since.
function timed(status, before) {
  return { ...status, since: status.text ? before?.since ?? Date.now() : null };
}

const FRAMES = {
  snapshot(frame) {
    page.snapshot = frame;
    page.people = new Map(frame.users.map((user) => [user.id, user]));
    page.channels = new Map(frame.channels.map((channel) => [channel.id, channel]));
    page.statuses = new Map(frame.statuses.map((s) => [`${s.channel} ${s.thread_ts}`, timed(s)]));
    page.sessions = new Map(frame.sessions.map((s) => [`${s.channel} ${s.thread_ts}`, s]));
    page.prompts = frame.prompts;
    page.home = frame.home;
    byId("workspace").textContent = "Local Slack";
    byId("me").textContent = `you are ${frame.me.real_name || frame.me.name}`;
    showModals(frame.modals, names, act);
    const wanted = page.channels.has(page.channel) ? page.channel
      : frame.channels.find((c) => c.bot_is_member && c.kind !== "im")?.id ?? frame.dm;
    open(wanted);
  },
  message(frame) {
    const { channel, message: item } = frame;
    if (channel !== page.channel) {
      page.unread.add(channel);
      drawSidebar();
      return;
    }
    page.messages.set(item.ts, item);
    page.updated.set(item.ts, ++page.beat);
    drawMessages();
    // An answer opens the thread it stands in, as Slack's agent pane does.
    if (item.bot_id && item.thread_ts && item.thread_ts !== item.ts && !page.thread) openThread(item.thread_ts);
  },
  message_deleted(frame) {
    if (frame.channel === page.channel) page.messages.delete(frame.ts);
    drawMessages();
  },
  status(frame) {
    const key = `${frame.channel} ${frame.thread_ts}`;
    page.statuses.set(key, timed(frame, page.statuses.get(key)));
    drawMessages();
  },
  session(frame) {
    page.sessions.set(`${frame.channel} ${frame.thread_ts}`, frame);
    drawMessages();
  },
  prompts(frame) { page.prompts = frame; drawPrompts(); },
  modals(frame) { showModals(frame.modals, names, act); },
  home(frame) { page.home = frame.home; drawHome(); },
  channel(frame) { page.channels.set(frame.channel.id, frame.channel); drawSidebar(); },
  notice(frame) { toast(frame.text); },
};

// --- drawing --------------------------------------------------------------------------------------

function drawSidebar() {
  const groups = [["Channels", (c) => c.kind !== "im"], ["Apps", (c) => c.kind === "im"]];
  byId("channels").replaceChildren(...groups.flatMap(([title, belongs]) => [
    el("h2", {}, title),
    ...[...page.channels.values()].filter(belongs).map((channel) => el("button", {
      type: "button", "data-channel": channel.id,
      class: page.unread.has(channel.id) ? "unread" : "",
      "aria-current": channel.id === page.channel ? "true" : null,
      onclick: () => { showView("chat"); open(channel.id); },
    }, channel.kind === "im" ? `⚡ ${page.snapshot.app.name}` : `${channel.kind === "private" ? "🔒" : "#"} ${channel.name}`)),
  ]));
}

function isDm() {
  return page.channel === page.snapshot.dm;
}

async function open(channel) {
  page.channel = channel;
  page.thread = null;
  page.tab = "messages";
  page.unread.delete(channel);
  page.messages.clear();
  page.updated.clear();
  drawTitle();
  drawSidebar();
  drawComposers();
  byId("thread").hidden = true;
  if (isDm()) await act("open_dm");
  else await act("look_at", { channel });
  await load();
  drawHome();
  drawPrompts();
}

async function load() {
  const channel = page.channel;
  const asked = page.beat;
  const items = await connection.messages(channel);
  const threads = await Promise.all(items.filter((item) => item.reply_count)
    .map((item) => connection.messages(channel, item.ts)));
  if (channel !== page.channel) return;
  take([...items, ...threads.flat()], asked);
  drawMessages();
}

// A reply to a request may be older than updates that came since.
function take(items, asked) {
  for (const item of items) {
    if ((page.updated.get(item.ts) ?? 0) <= asked) page.messages.set(item.ts, item);
  }
}

function drawTitle() {
  const channel = page.channels.get(page.channel);
  const tools = el("span", { class: "tools" });
  for (const shortcut of page.snapshot.app.shortcuts.filter((s) => s.type === "global")) {
    tools.append(el("button", { type: "button", onclick: () => act("shortcut", { callback_id: shortcut.callback_id }) }, shortcut.name));
  }
  byId("title").replaceChildren(
    el("span", {}, isDm() ? `⚡ ${page.snapshot.app.name}` : `# ${channel.name} `, el("small", {}, channel.topic ?? "")), tools);
  byId("tabs").hidden = !(isDm() && page.snapshot.app.home_tab);
}

function ordered(keep) {
  return [...page.messages.values()].filter(keep)
    .sort((a, b) => a.ts.length - b.ts.length || (a.ts < b.ts ? -1 : 1));
}

function drawMessages() {
  const roots = ordered((item) => !item.thread_ts || item.thread_ts === item.ts || item.subtype === "thread_broadcast");
  fill(byId("messages"), [...roots.map((item) => entry(item, false)), ...suggestions()]);
  if (page.thread) {
    const replies = ordered((item) => item.ts === page.thread || item.thread_ts === page.thread);
    fill(byId("replies"), [...replies.map((item) => entry(item, true)), ...statusLines()]);
  }
}

function entry(item, inThread) {
  const version = JSON.stringify([item, inThread ? 0 : doing.repliesTo(item)]);
  return { key: item.ts, version, make: () => message(item, doing, inThread) };
}

// Questions that work, until one has been asked in the channel that they are for.
function suggestions() {
  const { questions, channel } = page.introduction;
  const asked = [...page.messages.values()].some((item) => item.user === doing.me);
  if (channel !== page.channel || asked || !questions.length) return [];
  const make = () => el("div", { class: "suggestions" }, el("div", { class: "dim" }, "Ask, for example:"),
    questions.map((question) => el("button", {
      type: "button", onclick: () => send(`@${page.snapshot.app.name} ${question}`),
    }, question)));
  return [{ key: "suggestions", version: questions.join("\n"), make }];
}

function statusLines() {
  const key = `${page.channel} ${page.thread}`;
  const status = page.statuses.get(key);
  const session = page.sessions.get(key);
  const lines = [];
  if (status?.text) {
    const seconds = Math.floor((Date.now() - status.since) / 1000);
    const text = `${page.snapshot.app.name} ${status.text} ${seconds > 1 ? `${seconds} s` : ""}`;
    // Seconds are not for a screen reader, which would read each of them.
    const make = () => el("div", { class: "status", id: "status", "aria-live": "off" }, text);
    lines.push({ key: "status", version: text, make });
  }
  if (session?.can_stop) {
    const make = () => el("div", { class: "status" }, el("button", {
      type: "button", id: "stop", onclick: () => act("stop", { channel: page.channel, thread_ts: page.thread }),
    }, "■ Stop"));
    lines.push({ key: "stop", version: key, make });
  }
  return lines;
}

function drawHome() {
  const home = page.tab === "home" && isDm();
  byId("messages").hidden = home;
  byId("composer").hidden = home;
  byId("prompts").hidden = home;
  byId("home").hidden = !home;
  for (const tab of byId("tabs").children) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === page.tab));
  }
  if (!home) return;
  const shown = blocks(page.home?.blocks, names, (_, element, extra) => act("choose", {
    home: true, action_id: element.action_id, value: chosenValue(extra),
  }));
  byId("home").replaceChildren(el("h2", { class: "visually-hidden" }, "Home"), ...(shown.length ? shown : [el("div", { class: "dim" }, "The app has published nothing here yet.")]));
}

function drawPrompts() {
  const offered = isDm() ? page.prompts?.prompts ?? [] : [];
  byId("prompts").replaceChildren(...offered.map((item, index) => el("button", {
    type: "button", title: item.message,
    onclick: async () => { await beforeQuestion(); act("prompt", { index }); },
  }, item.title)));
}

async function openThread(ts) {
  page.thread = ts;
  byId("thread").hidden = false;
  drawThreadComposer();
  const asked = page.beat;
  take(await connection.messages(page.channel, ts), asked);
  drawMessages();
  byId("replies").scrollTop = byId("replies").scrollHeight;
}

// --- asking ---------------------------------------------------------------------------------------

async function beforeQuestion() {
  if (document.querySelector("input[name=cache]:checked").value !== "cold") return;
  const response = await fetch("/bot/forget", { method: "POST" });
  if (!response.ok) toast("The bot did not forget its cache; this question may be warm.");
}

async function send(text, thread) {
  const slash = /^(\/\w+)\s*([\s\S]*)$/.exec(text);
  if (slash && !thread && page.snapshot.app.commands.includes(slash[1])) {
    return (await act("command", { channel: page.channel, command: slash[1], text: slash[2] })) !== null;
  }
  await beforeQuestion();
  const sent = await act("post", { channel: page.channel, text, ...(thread ? { thread_ts: thread } : {}) });
  if (sent && !thread && (isDm() || text.includes(`@${page.snapshot.app.name}`))) openThread(sent.ts);
  return sent !== null;
}

function drawComposers() {
  const app = page.snapshot.app;
  const leads = isDm() ? [] : [{ text: `@${app.name}`, insert: `@${app.name} ` }];
  for (const command of app.commands) {
    leads.push({ text: command, run: (text) => act("command", { channel: page.channel, command, text }) });
  }
  composer(byId("composer"), {
    placeholder: isDm() ? `Ask ${app.name}` : `Message the channel; mention @${app.name} to ask`,
    draft: (text) => act("draft", { channel: page.channel, text }),
    send: (text) => send(text), leads,
  });
}

function drawThreadComposer() {
  composer(byId("thread-composer"), {
    placeholder: "Reply in the thread",
    draft: (text) => act("draft", { channel: page.channel, text, thread_ts: page.thread }),
    send: (text) => send(text, page.thread),
  });
}

// --- start ----------------------------------------------------------------------------------------

function closeThread() {
  page.thread = null;
  byId("thread").hidden = true;
}

function showView(view) {
  document.body.dataset.view = view;
  for (const button of byId("views").children) {
    if (button.dataset.view === view) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

byId("close-thread").onclick = () => {
  const ts = page.thread;
  closeThread();
  // The keyboard goes back to where the thread was opened.
  document.querySelector(`#messages [data-key="${ts}"] .replies`)?.focus();
};
byId("thread").onkeydown = (event) => {
  if (event.key === "Escape") byId("close-thread").click();
};
byId("views").onclick = (event) => { if (event.target.dataset.view) showView(event.target.dataset.view); };
showView("chat");
byId("tabs").onclick = (event) => {
  const tab = event.target.dataset?.tab;
  if (!tab) return;
  page.tab = tab;
  act(tab === "home" ? "open_home" : "open_dm");
  drawHome();
};

page.introduction = await fetch("/introduction").then((r) => (r.ok ? r.json() : page.introduction));
byId("notice").textContent = page.introduction.notice;
const wanted = new URLSearchParams(location.search).get("user");
const { users } = await fetch("/_client/users").then((r) => r.json());
const me = users.find((user) => user.id === wanted)?.id ?? users[0].id;
connection = new Connection(me, (frame) => FRAMES[frame.type]?.(frame), (text) => {
  if (text) toast(text);
});
follow("/bot/state/stream", page.introduction.prefill_speed);
setInterval(() => { if ([...page.statuses.values()].some((status) => status.text)) drawMessages(); }, 1000);
