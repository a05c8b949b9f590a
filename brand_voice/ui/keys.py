"""The keyboard: one table of shortcuts, from which come the script that obeys them and the sheet that lists them.

A script, because Gradio has no parameter for shortcuts (6.31): it clicks buttons by `elem_id` if they are seen, and is
silent while somebody types or reads the sheet. The same key may stand in several tabs; the one that is seen takes it.
"""

import html
import json
from typing import Literal, NamedTuple

Act = Literal["click", "save", "edit", "reason", "down", "up", "tick", "sheet", "leave"]
"""What the script can do; each is a function of that name in `SCRIPT`."""


class Key(NamedTuple):
    """A shortcut."""

    keys: tuple[str, ...]
    """As the browser calls them, letters small; Ctrl+ stands for the command key too."""
    does: str
    act: Act = "click"
    button: str = ""
    """The `elem_id` of what is clicked."""
    shown: str = ""
    """How the sheet writes the keys, if not one by one."""


KEYS: dict[str, tuple[Key, ...]] = {
    "Everywhere": (
        Key(("?",), "Show these keys; again, or Escape, closes them", "sheet"),
        Key(("Escape",), "Leave a text field, so that keys work again", "leave"),
    ),
    "Write": (Key(("Ctrl+Enter",), "Write", button="write-go"),),
    "Compare": (
        Key(("n",), "Next pair", button="compare-next"),
        Key(("1",), "Left is better", button="compare-left"),
        Key(("2",), "Right is better", button="compare-right"),
        Key(("3",), "Both good", button="compare-tie"),
        Key(("4",), "Both bad", button="compare-both_bad"),
    ),
    "Review": (
        Key(("a",), "Approve", button="review-approve"),
        Key(("e",), "Edit the text; once it is changed, save the edit", "edit", "review-edit"),
        Key(("Ctrl+Enter",), "Save the edit, from within the text", "save", "review-edit"),
        Key(("r",), "Reject", button="review-reject"),
        Key(tuple("123456789"), "Give a reason, or take it back", "reason", shown="1 to 9"),
        Key(("s",), "Skip", button="review-skip"),
        Key(("u",), "Undo the last verdict", button="review-undo"),
        Key(("j",), "Next draft", button="review-next"),
        Key(("k",), "Previous draft", button="review-previous"),
        Key(("b",), "List the drafts without findings", button="review-bulk-open"),
    ),
    "Review, drafts without findings": (
        Key(("Enter",), "Approve what is ticked", button="review-bulk-approve"),
        Key(("j",), "Next row", "down"),
        Key(("k",), "Previous row", "up"),
        Key(("Space", "x"), "Tick the row, or take the tick off", "tick"),
        Key(("1",), "10 rows", button="review-bulk-10"),
        Key(("2",), "25 rows", button="review-bulk-25"),
        Key(("3",), "50 rows", button="review-bulk-50"),
        Key(("u",), "Undo, the whole list at once", button="review-bulk-undo"),
        Key(("b",), "Back to one draft", button="review-bulk-close"),
    ),
}

SCRIPT = """
(() => {
  const find = (selector) => document.querySelector(selector);
  const copyBox = () => find("#review-copy textarea");
  const seen = (element) => Boolean(element) && element.offsetParent !== null;
  const isTyping = (element) =>
    element.isContentEditable || element.closest("#import-table") ||
    element.matches("textarea, select, input:not([type=checkbox]):not([type=radio])");
  const inFocus = () => find("#review-draft-id :is(textarea, input)").value;
  const press = (id) => {
    const button = document.getElementById(id);
    if (!seen(button)) return false;
    button.click();
    return true;
  };
  const move = (way) => {
    const rows = [...document.querySelectorAll("#review-rows input[type=checkbox]")].filter(seen);
    const at = rows.indexOf(document.activeElement);
    const to = at < 0 && way < 0 ? rows.length - 1 : Math.max(0, Math.min(at + way, rows.length - 1));
    rows[to]?.focus();
    return rows.length > 0;
  };
  const show = (isOpen) => isOpen ? find("#keys").showModal() : find("#keys").close();
  let changed = null;
  const acts = {
    click: ({ button }) => press(button),
    save: ({ button }, event) => {
      if (event.target !== copyBox() || !press(button)) return false;
      event.target.blur();  // the next draft comes into this box: what is typed then are keys
      return true;
    },
    edit: ({ button }) => {
      if (!seen(copyBox()) || changed === inFocus()) return press(button);
      copyBox().focus();
      return true;
    },
    reason: (_, event) => {
      const reason = document.querySelectorAll("#review-reasons input[type=checkbox]")[Number(event.key) - 1];
      if (!seen(reason)) return false;
      reason.click();
      return true;
    },
    down: () => move(1),
    up: () => move(-1),
    tick: (_, event) => {
      if (!event.target.matches("#review-rows input")) return false;
      event.target.click();
      return true;
    },
    sheet: () => { show(true); return true; },
    leave: (_, event) => { if (isTyping(event.target)) event.target.blur(); return false; },
  };
  const named = (event) => {
    const key = { " ": "Space" }[event.key] ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key);
    return event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key;
  };
  const isOthers = (key, target) => {
    if (isTyping(target)) return key !== "Escape" && !key.startsWith("Ctrl+");
    return (key === "Enter" || key === "Space") && target.closest("button, a, [role=option]") !== null;
  };
  document.addEventListener("input", (event) => { if (event.target === copyBox()) changed = inFocus(); }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest("#keys-open")) show(true);
    if (event.target.closest("#keys-close") || event.target === find("#keys")) show(false);
  });
  // Before Gradio sees the key: its check boxes take Enter for a tick (6.31).
  document.addEventListener("keydown", (event) => {
    const key = named(event);
    if (find("#keys")?.open) {
      if (key === "?") { event.preventDefault(); show(false); }
      return;
    }
    if (event.altKey || event.repeat || isOthers(key, event.target)) return;
    if (KEYS.some((each) => each.keys.includes(key) && acts[each.act](each, event))) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.matches("#review-rows input")) event.preventDefault();
  }, true);
})();
"""

FIRST_ROW = """() => {
  const row = document.querySelector("#review-rows input");
  if (document.activeElement?.closest("#review-rows")) row?.focus({ preventScroll: true });
  document.getElementById("review-notice").scrollIntoView({ block: "nearest" });
}"""
"""After a list gave way to the next: what became of it is in view, and whoever was among its rows is at the first."""

BUTTON = '<button type="button" id="keys-open" aria-haspopup="dialog">Keys <kbd>?</kbd></button>'


def head() -> str:
    """What goes into the page's head."""
    table = [key._asdict() for keys in KEYS.values() for key in keys]
    return f"<script>\n{{\nconst KEYS = {json.dumps(table)};{SCRIPT}}}\n</script>"


def sheet() -> str:
    """All shortcuts by tab, in a dialog: it takes the focus and gives it back, and Escape closes it."""
    groups = "".join(
        f"<section><h3>{html.escape(group)}</h3><dl>{''.join(map(_entry, keys))}</dl></section>"
        for group, keys in KEYS.items()
    )
    return (
        '<dialog id="keys" role="dialog" aria-modal="true" aria-labelledby="keys-title">'
        '<header><h2 id="keys-title">Keys</h2><button type="button" id="keys-close" autofocus>Close</button></header>'
        f"<div>{groups}</div></dialog>"
    )


def _entry(key: Key) -> str:
    names = [key.shown] if key.shown else [name.capitalize() if len(name) == 1 else name for name in key.keys]
    told = " or ".join(f"<kbd>{html.escape(name)}</kbd>" for name in names)
    return f"<div><dt>{told}</dt><dd>{html.escape(key.does)}</dd></div>"
