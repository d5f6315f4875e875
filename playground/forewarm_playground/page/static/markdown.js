// Slack's markdown and mrkdwn to elements: what a person would see. Never to HTML text.

import { el } from "./dom.js";

const EMOJI = { warning: "⚠️", eyes: "👀", white_check_mark: "✅", x: "❌" };
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

function decoded(text) {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);
}

function safeLink(url, label) {
  const target = decoded(url);
  if (!/^(https?:|mailto:)/i.test(target)) return label;
  return el("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, label);
}

// One alternative for each kind of mark; the order decides where two could match.
const MARKDOWN = [
  [/\\([!-/:-@[-`{-~])/, (m) => m[1]],
  [/`([^`\n]+)`/, (m) => el("code", {}, decoded(m[1]))],
  [/\[([^\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)/, (m, inner) => safeLink(m[2], el("span", {}, inner(m[1])))],
  [/\*\*(\S(?:[^\n]*?\S)?)\*\*/, (m, inner) => el("strong", {}, inner(m[1]))],
  [/~~(\S(?:[^\n]*?\S)?)~~/, (m, inner) => el("s", {}, inner(m[1]))],
  [/(?<![\w*])[*_](\S(?:[^\n*_]*?\S)?)[*_](?![\w*])/, (m, inner) => el("em", {}, inner(m[1]))],
];
const MRKDWN = [
  [/`([^`\n]+)`/, (m) => el("code", {}, decoded(m[1]))],
  [/(?<!\w)\*(\S(?:[^\n*]*?\S)?)\*(?!\w)/, (m, inner) => el("strong", {}, inner(m[1]))],
  [/(?<!\w)_(\S(?:[^\n_]*?\S)?)_(?!\w)/, (m, inner) => el("em", {}, inner(m[1]))],
  [/(?<!\w)~(\S(?:[^\n~]*?\S)?)~(?!\w)/, (m, inner) => el("s", {}, inner(m[1]))],
];
const TOKENS = [
  [/<@([A-Z0-9]+)(?:\|[^<>]*)?>/, (m, _, names) => el("span", { class: "mention" }, `@${names.user(m[1])}`)],
  [/<#([A-Z0-9]+)(?:\|[^<>]*)?>/, (m, _, names) => el("span", { class: "mention" }, `#${names.channel(m[1])}`)],
  [/<!([a-z]+)[^<>]*>/, (m) => el("span", { class: "mention" }, `@${m[1]}`)],
  [/<((?:https?|mailto):[^<>|]+)(?:\|([^<>]*))?>/, (m) => safeLink(m[1], decoded(m[2] ?? m[1]))],
  [/:(warning|eyes|white_check_mark|x):/, (m) => EMOJI[m[1]]],
];

function inline(text, rules, names) {
  const parts = [];
  let rest = text;
  while (rest) {
    let first = null;
    for (const [pattern, make] of rules) {
      const found = pattern.exec(rest);
      if (found && (!first || found.index < first.found.index)) first = { found, make };
    }
    if (!first) break;
    if (first.found.index) parts.push(decoded(rest.slice(0, first.found.index)));
    parts.push(first.make(first.found, (part) => inline(part, rules, names), names));
    rest = rest.slice(first.found.index + first.found[0].length);
  }
  if (rest) parts.push(decoded(rest));
  return parts;
}

function lines(text, rules, names) {
  const parts = [];
  text.split("\n").forEach((line, at) => {
    if (at) parts.push(el("br"));
    parts.push(...inline(line, rules, names));
  });
  return parts;
}

// Splits a text into fenced code and the paragraphs between. A fence in a list is indented with it.
// In mrkdwn no language follows the fence: what stands there is code.
function fenced(text, named) {
  const pieces = [];
  const fence = /(^|\n)([ \t]*)(`{3,}|~{3,})([^\n`]*)\n?([\s\S]*?)(?:\n?[ \t]*\3(?=\n|$|[^`~])|$)/g;
  let from = 0;
  for (const found of text.matchAll(fence)) {
    const held = named ? found[5] : [found[4], found[5]].filter(Boolean).join("\n");
    const code = held.split("\n").map((l) => (l.startsWith(found[2]) ? l.slice(found[2].length) : l));
    pieces.push({ text: text.slice(from, found.index) }, { code: code.join("\n") });
    from = found.index + found[0].length;
  }
  pieces.push({ text: text.slice(from) });
  return pieces.filter((piece) => piece.code !== undefined || piece.text.trim());
}

const ITEM = /^(\s*)([-*+•]|\d+[.)])\s+(.*)$/;

// An item stands in the nearest item above that is indented less; other lines go on with the last.
function items(rows) {
  const root = { indent: -1, inner: [] };
  const open = [root];
  for (const row of rows) {
    const found = ITEM.exec(row);
    if (!found) {
      open.at(-1).lines.push(row.trim());
      continue;
    }
    const [, lead, mark, text] = found;
    while (open.at(-1).indent >= lead.length) open.pop();
    const item = { indent: lead.length, number: Number.parseInt(mark, 10), lines: [text], inner: [] };
    open.at(-1).inner.push(item);
    open.push(item);
  }
  return root.inner;
}

function lists(found, rules, names) {
  const made = [];
  for (const item of found) {
    const kind = Number.isNaN(item.number) ? "ul" : "ol";
    if (made.at(-1)?.localName !== kind) made.push(el(kind, kind === "ol" ? { start: item.number } : {}));
    made.at(-1).append(el("li", {}, lines(item.lines.join("\n"), rules, names), lists(item.inner, rules, names)));
  }
  return made;
}

function table(rows, rules, names) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|");
  const head = el("tr", {}, cells(rows[0]).map((c) => el("th", {}, inline(c.trim(), rules, names))));
  const body = rows.slice(2).map((row) =>
    el("tr", {}, cells(row).map((c) => el("td", {}, inline(c.trim(), rules, names)))));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, body));
}

const KINDS = [
  ["rule", /^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/],
  ["list", ITEM],
  ["quote", /^(?:>|&gt;)\s?/],
  ["table", /^\s*\|.*\|\s*$/],
  ["heading", /^#{1,6}\s+/],
];

function paragraphs(text, rules, names) {
  const groups = [];
  for (const line of text.split("\n")) {
    const last = groups.at(-1);
    const goesOn = last?.kind === "list" && /^\s+\S/.test(line);
    const kind = KINDS.find(([, pattern]) => pattern.test(line))?.[0]
      ?? (goesOn ? "list" : line.trim() ? "text" : "gap");
    if (last?.kind === kind && kind !== "heading") last.rows.push(line);
    else groups.push({ kind, rows: [line] });
  }
  return groups.filter((group) => group.kind !== "gap").flatMap(({ kind, rows }) => {
    if (kind === "rule") return el("hr");
    if (kind === "list") return lists(items(rows), rules, names);
    if (kind === "table" && rows.length > 1) return table(rows, rules, names);
    if (kind === "heading") return el("h3", {}, inline(rows[0].replace(/^#+\s+/, ""), rules, names));
    if (kind === "quote") {
      return el("blockquote", {}, lines(rows.map((r) => r.replace(/^(?:>|&gt;)\s?/, "")).join("\n"), rules, names));
    }
    return el("p", {}, lines(rows.join("\n"), rules, names));
  });
}

function rendered(text, rules, names, named) {
  return fenced(text, named).flatMap((piece) => piece.code !== undefined
    ? [el("pre", { tabIndex: 0 }, el("code", {}, decoded(piece.code)))]
    : paragraphs(piece.text, rules, names));
}

export function markdown(text, names) {
  return rendered(text, [...TOKENS, ...MARKDOWN], names, true);
}

export function mrkdwn(text, names) {
  return rendered(text, [...TOKENS, ...MRKDWN], names, false);
}
