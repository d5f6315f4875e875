// Modals: the view in front as a dialog. Keys and choices are told to the app as they happen.

import { blocks, checkboxes, select, textObject } from "./blocks.js";
import { byId, el } from "./dom.js";

let shown = null;

// `act(verb, members)` performs; the dialog mirrors the stack that the local Slack keeps.
export function showModals(modals, names, act) {
  const dialog = byId("modal");
  const view = modals.at(-1);
  if (!view) {
    shown = null;
    if (dialog.open) dialog.close();
    return;
  }
  const version = JSON.stringify([view.id, view.hash, view.title, view.blocks, view.errors]);
  if (shown === version) return;
  const held = fieldsOf(dialog, view);
  shown = version;
  dialog.replaceChildren(form(view, names, act));
  restore(dialog, held);
  dialog.oncancel = (event) => { event.preventDefault(); act("close_modal"); };
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("textarea, input")?.focus();
}

// What a person has typed survives an update of the same view.
function fieldsOf(dialog, view) {
  if (dialog.firstChild?.dataset?.view !== view.id) return new Map();
  return new Map([...dialog.querySelectorAll("textarea, input[name]")].map((f) => [f.name, f.value]));
}

function restore(dialog, held) {
  for (const field of dialog.querySelectorAll("textarea, input[name]")) {
    if (held.has(field.name)) field.value = held.get(field.name);
  }
}

function form(view, names, act) {
  const made = el("form", { "data-view": view.id, "data-callback": view.callback_id ?? "" },
    el("header", {}, view.title.text),
    el("div", { class: "body" }, view.blocks.map((block) => part(block, view, names, act))),
    el("footer", {},
      el("button", { type: "button", onclick: () => act("close_modal") }, view.close?.text ?? "Cancel"),
      view.submit ? el("button", { type: "submit", class: "primary" }, view.submit.text) : null));
  made.onsubmit = async (event) => {
    event.preventDefault();
    const button = made.querySelector("[type=submit]");
    if (!button) return;
    button.disabled = true;
    try { await act("submit"); } finally { button.disabled = false; }
  };
  return made;
}

function part(block, view, names, act) {
  if (block.type !== "input") {
    return blocks([block], names, (_, element, extra) => act("choose", {
      action_id: element.action_id, value: chosenValue(extra),
    }))[0];
  }
  const error = view.errors?.[block.block_id];
  return el("label", { "data-block": block.block_id },
    el("span", {}, block.label.text, block.optional ? el("span", { class: "hint" }, " (optional)") : ""),
    field(block.element, view, block, act),
    block.hint ? el("div", { class: "hint" }, textObject(block.hint, names)) : null,
    error ? el("div", { class: "problem" }, error) : null);
}

export function chosenValue(extra) {
  if (extra.selected_options) return extra.selected_options.map((option) => option.value);
  return extra.selected_option?.value ?? extra.value ?? null;
}

function field(element, view, block, act) {
  const held = view.state?.values?.[block.block_id]?.[element.action_id] ?? {};
  if (element.type === "static_select") {
    const initial = held.selected_option ?? element.initial_option;
    return select({ ...element, initial_option: initial },
      (option) => act("choose", { action_id: element.action_id, value: option.value }));
  }
  if (element.type === "checkboxes") {
    return checkboxes(element, (options) => act("choose", {
      action_id: element.action_id, value: options.map((option) => option.value),
    }));
  }
  return textField(element, held, act);
}

function textField(element, held, act) {
  const numeric = element.type === "number_input";
  const input = el(element.multiline ? "textarea" : "input", {
    name: element.action_id, placeholder: element.placeholder?.text ?? "",
    maxLength: element.max_length ?? 3000,
  });
  if (!element.multiline) input.type = numeric ? "number" : "text";
  if (numeric) input.step = element.is_decimal_allowed ? "any" : "1";
  input.value = held.value ?? element.initial_value ?? "";
  input.addEventListener("input", () => act("set_text", { action_id: element.action_id, text: input.value }));
  return input;
}
