// Builds and updates elements. Text from outside goes through textContent, never innerHTML.

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else if (key in node && key !== "style") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function byId(id) {
  return document.getElementById(id);
}

// Slack's time stamps are strings of seconds; only their whole part is shown.
export function clockOf(ts) {
  const at = new Date(Number(String(ts).split(".")[0]) * 1000);
  return at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function seconds(value) {
  if (value === null || value === undefined) return "unknown";
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  return `${value.toFixed(value < 9.95 ? 2 : 1)} s`;
}

let hiding = 0;
export function toast(text) {
  const node = byId("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { node.hidden = true; }, 6000);
}

// Shows entries of { key, version, make } in a box. Elements whose version is the same stay, so that
// focus and selection survive. The newest stays in view unless the user has scrolled up.
export function fill(box, entries) {
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const old = new Map([...box.children].map((child) => [child.dataset.key, child]));
  const focused = focusIn(box);
  const wanted = entries.map(({ key, version, make }) => {
    const kept = old.get(key);
    if (kept?.version === version) return kept;
    const made = make();
    made.dataset.key = key;
    made.version = version;
    return made;
  });
  for (const child of old.values()) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, at) => {
    if (box.children[at] !== child) box.insertBefore(child, box.children[at] ?? null);
  });
  if (focused && !box.contains(document.activeElement)) focusAgain(box, focused);
  if (atEnd) box.scrollTop = box.scrollHeight;
}

const CAN_FOCUS = "a[href], button, select, input, textarea";

// The focused element of a box, as its entry's key and its place among those that can have focus.
function focusIn(box) {
  const child = [...box.children].find((one) => one.contains(document.activeElement));
  if (!child) return null;
  return { key: child.dataset.key, at: [...child.querySelectorAll(CAN_FOCUS)].indexOf(document.activeElement) };
}

function focusAgain(box, { key, at }) {
  const child = [...box.children].find((one) => one.dataset.key === key);
  child?.querySelectorAll(CAN_FOCUS)[at]?.focus();
}
