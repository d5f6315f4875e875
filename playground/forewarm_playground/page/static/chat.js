// Messages and composers.

import { blocks } from "./blocks.js";
import { clockOf, el } from "./dom.js";
import { markdown, mrkdwn } from "./markdown.js";

const COLOURS = ["#2b7a78", "#7a4f9a", "#b0562b", "#3b6ea5", "#8a6d1f", "#5a7d3a"];

function avatar(person, isBot) {
  const name = person?.real_name || person?.name || "?";
  const node = el("div", { class: "avatar", "aria-hidden": "true" }, isBot ? "⚡" : name[0].toUpperCase());
  const sum = [...name].reduce((total, character) => total + character.codePointAt(0), 0);
  node.style.background = isBot ? "#3b1240" : COLOURS[sum % COLOURS.length];
  return node;
}

// As in Slack, a message with blocks shows these; its text is then for notifications.
function body(message, names, act) {
  const draw = message.markdown ? markdown : mrkdwn;
  const parts = message.blocks?.length
    ? blocks(message.blocks, names, act)
    : [el("div", { class: "text" }, message.hidden ? "is answering another user…" : draw(message.text, names))];
  if (message.live) parts.at(-1).classList.add("streaming");
  if (message.broken) parts.push(el("div", { class: "dim" }, "(this stream broke off)"));
  for (const file of message.files ?? []) parts.push(el("div", { class: "dim" }, `📄 ${file.name ?? file.id}`));
  if (message.reactions) {
    parts.push(el("div", { class: "reactions" },
      message.reactions.map((r) => el("span", {}, `:${r.name}: ${r.count}`))));
  }
  return parts;
}

// `doing` has: names, people, act(message, element, extra), openThread(ts), shortcut(ts), edit, remove.
export function message(item, doing, inThread) {
  const person = doing.people.get(item.user);
  const isBot = Boolean(item.bot_id);
  const inner = el("div", {},
    el("div", {},
      el("span", { class: "by" }, isBot ? item.bot_profile?.name ?? "bot" : person?.real_name || person?.name || item.user),
      isBot ? el("span", { class: "badge" }, "APP") : null,
      el("span", { class: "time" }, clockOf(item.ts), item.edited ? " (edited)" : "", item.ephemeral ? " · only visible to you" : "")),
    body(item, doing.names, (block, element, extra) => doing.act(item, element, extra)));
  const replies = inThread ? 0 : doing.repliesTo(item);
  if (replies) {
    inner.append(el("button", { class: "replies", type: "button", onclick: () => doing.openThread(item.ts) },
      `${replies} ${replies === 1 ? "reply" : "replies"}`));
  }
  return el("article", {
    class: "message", "data-ts": item.ts, "data-live": String(Boolean(item.live)),
    "data-by": isBot ? "bot" : "person",
  }, avatar(person, isBot), inner, actions(item, doing, inThread));
}

function actions(item, doing, inThread) {
  const buttons = [];
  const add = (text, run) => buttons.push(el("button", { type: "button", onclick: run }, text));
  if (!inThread) add("Reply", () => doing.openThread(item.thread_ts ?? item.ts));
  for (const shortcut of doing.messageShortcuts) add(shortcut.name, () => doing.shortcut(shortcut.callback_id, item.ts));
  add("React", () => doing.react(item.ts));
  if (item.user === doing.me) {
    add("Edit", () => doing.edit(item));
    add("Delete", () => doing.remove(item.ts));
  }
  return el("div", { class: "actions", role: "group", "aria-label": "Actions" }, buttons);
}

// A composer: Enter sends, Shift+Enter breaks the line. Drafts are sent 250 ms after the last key.
export function composer(form, { placeholder, draft, send, leads }) {
  const area = el("textarea", { rows: 2, placeholder, "aria-label": placeholder });
  const button = el("button", { type: "submit", disabled: true }, "Send");
  let pause = 0;
  area.addEventListener("input", () => {
    button.disabled = !area.value.trim();
    clearTimeout(pause);
    pause = setTimeout(() => draft(area.value), 250);
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.onsubmit = async (event) => {
    event.preventDefault();
    const text = area.value.trim();
    if (!text) return;
    clearTimeout(pause);
    area.value = "";
    button.disabled = true;
    if (!(await send(text))) area.value = text;
    area.focus();
  };
  const lead = el("span", { class: "lead" }, (leads ?? []).map(({ text, insert, run }) =>
    el("button", {
      type: "button", onclick: () => {
        if (run) { run(area.value); return; }
        area.value = `${insert}${area.value}`;
        area.dispatchEvent(new Event("input"));
        area.focus();
      },
    }, text)));
  form.replaceChildren(area, el("footer", {}, lead, button));
  return area;
}
