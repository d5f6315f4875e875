// Builds elements. Everything that comes from outside goes through textContent, never innerHTML.

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
