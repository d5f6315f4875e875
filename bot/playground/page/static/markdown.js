// Slack's markdown and mrkdwn to elements: what a person would see. Never to HTML text.

import { el } from "./dom.js";

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

// Splits a text into fenced code and the paragraphs between.
function fenced(text) {
  const pieces = [];
  const fence = /(^|\n)```([^\n`]*)\n?([\s\S]*?)(?:\n?```(?=\n|$|[^`])|$)/g;
  let from = 0;
  for (const found of text.matchAll(fence)) {
    pieces.push({ text: text.slice(from, found.index) }, { code: found[3] });
    from = found.index + found[0].length;
  }
  pieces.push({ text: text.slice(from) });
  return pieces.filter((piece) => piece.code !== undefined || piece.text.trim());
}

function list(rows, rules, names) {
  const ordered = /^\s*\d+[.)]/.test(rows[0]);
  const items = rows.map((row) => {
    const item = el("li", {}, inline(row.replace(/^\s*(?:[-*+•]|\d+[.)])\s+/, ""), rules, names));
    item.style.marginLeft = `${8 * /^\s*/.exec(row)[0].length}px`;
    return item;
  });
  return el(ordered ? "ol" : "ul", {}, items);
}

function table(rows, rules, names) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|");
  const head = el("tr", {}, cells(rows[0]).map((c) => el("th", {}, inline(c.trim(), rules, names))));
  const body = rows.slice(2).map((row) =>
    el("tr", {}, cells(row).map((c) => el("td", {}, inline(c.trim(), rules, names)))));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, body));
}

const KINDS = [
  ["list", /^\s*(?:[-*+•]|\d+[.)])\s+/],
  ["quote", /^(?:>|&gt;)\s?/],
  ["table", /^\s*\|.*\|\s*$/],
  ["heading", /^#{1,6}\s+/],
];

function paragraphs(text, rules, names) {
  const groups = [];
  for (const line of text.split("\n")) {
    const kind = KINDS.find(([, pattern]) => pattern.test(line))?.[0] ?? (line.trim() ? "text" : "gap");
    const last = groups.at(-1);
    if (last?.kind === kind && kind !== "heading") last.rows.push(line);
    else groups.push({ kind, rows: [line] });
  }
  return groups.filter((group) => group.kind !== "gap").map(({ kind, rows }) => {
    if (kind === "list") return list(rows, rules, names);
    if (kind === "table" && rows.length > 1) return table(rows, rules, names);
    if (kind === "heading") return el("h4", {}, inline(rows[0].replace(/^#+\s+/, ""), rules, names));
    if (kind === "quote") {
      return el("blockquote", {}, lines(rows.map((r) => r.replace(/^(?:>|&gt;)\s?/, "")).join("\n"), rules, names));
    }
    return el("p", {}, lines(rows.join("\n"), rules, names));
  });
}

function rendered(text, rules, names) {
  return fenced(text).flatMap((piece) => piece.code !== undefined
    ? [el("pre", {}, el("code", {}, decoded(piece.code)))]
    : paragraphs(piece.text, rules, names));
}

export function markdown(text, names) {
  return rendered(text, [...TOKENS, ...MARKDOWN], names);
}

export function mrkdwn(text, names) {
  return rendered(text, [...TOKENS, ...MRKDWN], names);
}
