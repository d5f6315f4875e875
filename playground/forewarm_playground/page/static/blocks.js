// Block Kit to elements: the blocks that this product sends, and a plain word for any other.

import { el } from "./dom.js";
import { markdown, mrkdwn } from "./markdown.js";
import { chart } from "./chart.js";

export function textObject(object, names) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text, names) : [object.text];
}

// `act(block, element, extra)` is told of every click and choice.
export function blocks(list, names, act) {
  return (list ?? []).map((block) => (DRAW[block.type] ?? unknown)(block, names, act));
}

const DRAW = {
  markdown: (block, names) => el("div", { class: "text" }, markdown(block.text, names)),
  header: (block) => el("h3", {}, block.text.text),
  divider: () => el("hr"),
  section,
  context: (block, names) => el("div", { class: "context-block" },
    block.elements.map((e) => e.type === "image"
      ? el("span", {}, e.alt_text)
      : el("span", {}, textObject(e, names)))),
  actions: (block, names, act) => el("div", { class: "buttons" },
    block.elements.map((e) => element(block, e, names, act))),
  context_actions: (block, names, act) => el("div", { class: "buttons" },
    block.elements.flatMap((e) => element(block, e, names, act))),
  rich_text: (block, names) => el("div", { class: "text" }, block.elements.map((e) => rich(e, names))),
  table: (block, names) => el("div", { class: "text" }, el("table", {}, el("tbody", {},
    block.rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, tableCell(cell, names)))))))),
  task_card: (block) => task(block),
  plan: (block) => el("div", {}, el("strong", {}, block.title), (block.tasks ?? []).map(task)),
  image: (block) => el("div", { class: "dim" }, `[image: ${block.alt_text}]`),
  data_visualization: (block) => chart(block),
  alert: (block, names) => el("div", { class: "context-block" }, textObject(block.text, names)),
};

export function task(item) {
  return el("div", { class: `task ${item.status ?? ""}` }, item.title);
}

function tableCell(cell, names) {
  return cell.type === "rich_text" ? cell.elements.map((e) => rich(e, names)) : [cell.text ?? ""];
}

function section(block, names, act) {
  const node = el("div", { class: "text" }, textObject(block.text, names));
  if (block.fields) {
    node.append(el("div", { class: "field-grid" }, block.fields.map((f) => el("div", {}, textObject(f, names)))));
  }
  if (block.accessory) node.append(el("div", { class: "buttons" }, element(block, block.accessory, names, act)));
  return node;
}

function rich(item, names) {
  const inner = (item.elements ?? []).map((e) => rich(e, names));
  switch (item.type) {
    case "rich_text_section": return el("p", {}, inner);
    case "rich_text_preformatted": return el("pre", { tabIndex: 0 }, el("code", {}, inner));
    case "rich_text_quote": return el("blockquote", {}, inner);
    case "rich_text_list": return el(item.style === "ordered" ? "ol" : "ul", {}, inner.map((i) => el("li", {}, i)));
    case "link": return el("a", { href: /^https?:/.test(item.url) ? item.url : null, rel: "noopener noreferrer" }, item.text ?? item.url);
    case "user": return el("span", { class: "mention" }, `@${names.user(item.user_id)}`);
    case "channel": return el("span", { class: "mention" }, `#${names.channel(item.channel_id)}`);
    case "broadcast": return el("span", { class: "mention" }, `@${item.range}`);
    case "text": return styled(item);
    default: return el("span", {}, item.text ?? "");
  }
}

function styled(item) {
  const tag = ["code", "bold", "italic", "strike"].find((style) => item.style?.[style]);
  return el({ code: "code", bold: "strong", italic: "em", strike: "s" }[tag] ?? "span", {}, item.text);
}

function element(block, item, names, act) {
  const told = (extra = {}) => act?.(block, item, extra);
  switch (item.type) {
    case "button":
      return el("button", { type: "button", class: item.style ?? "", onclick: () => told({ value: item.value }) }, item.text.text);
    case "feedback_buttons":
      return feedback(`${block.block_id} ${item.action_id}`, item, told);
    case "icon_button":
      return el("button", { type: "button", "aria-label": item.accessibility_label ?? item.text?.text, onclick: () => told({ value: item.value }) }, item.text?.text ?? item.icon);
    case "static_select":
    case "external_select":
      return select(item, (option) => told({ selected_option: option }));
    case "overflow":
      return select(item, (option) => told({ selected_option: option }), "…");
    case "checkboxes":
      return checkboxes(item, (options) => told({ selected_options: options }));
    default:
      return el("span", { class: "dim" }, `[${item.type}]`);
  }
}

// An opinion stays pressed however often its message is drawn anew; only this window knows of it.
const opinions = new Map();

function feedback(key, item, told) {
  const buttons = [item.positive_button, item.negative_button].map((b) => el("button", {
    type: "button", title: b.accessibility_label ?? b.text.text,
    class: opinions.get(key) === b.value ? "chosen" : "",
    onclick: (event) => {
      opinions.set(key, b.value);
      for (const button of buttons) button.classList.toggle("chosen", button === event.currentTarget);
      told({ value: b.value });
    },
  }, b.text.text));
  return buttons;
}

export function select(item, chosen, prompt) {
  const options = item.options ?? (item.option_groups ?? []).flatMap((group) => group.options);
  const placeholder = item.initial_option ? [] : [el("option", { value: "" }, prompt ?? item.placeholder?.text ?? "Choose…")];
  return el("select", {
    name: item.action_id,
    "aria-label": prompt ? "More actions" : item.placeholder?.text ?? item.action_id,
    onchange: (event) => {
      const found = options.find((option) => option.value === event.target.value);
      if (found) chosen(found);
    },
  }, placeholder, options.map((option) => el("option", {
    value: option.value, selected: option.value === item.initial_option?.value,
  }, option.text.text)));
}

export function checkboxes(item, chosen) {
  const on = new Set((item.initial_options ?? []).map((option) => option.value));
  return el("div", {}, item.options.map((option) => el("label", {},
    el("input", {
      type: "checkbox", checked: on.has(option.value),
      onchange: (event) => {
        if (event.target.checked) on.add(option.value); else on.delete(option.value);
        chosen(item.options.filter((o) => on.has(o.value)));
      },
    }), ` ${option.text.text}`)));
}

function unknown(block) {
  return el("div", { class: "dim" }, `[a block of type ${block.type}]`);
}
