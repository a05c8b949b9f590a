"""The next draft before it is asked for: the page has it at hand, and shows it the moment a key decides on this one.

While a draft is read, the page gets what the next one will show, unseen. A click that leads on writes that into the
boxes at once, and the event stores the verdict meanwhile. What comes back counts: where it is another draft, or nothing
was stored, the boxes show that instead, and until then the desk's buttons do nothing. Gradio's own state is not
touched, so that no event ever carries a text that was only shown ahead.
"""

import json
from collections.abc import Iterable

import gradio as gr

from brand_voice.records import Draft
from brand_voice.ui.brief_form import Values

SCRIPT = """
<script>
(() => {
  const PATIENCE_MS = 4000;  // an answer that is lost ends no event in Gradio 6.31
  const box = (id) => document.querySelector(`#${id} :is(textarea, input)`);
  let waiting = null;
  const settle = (values) => {
    clearInterval(waiting);
    write(values);
    document.body.classList.remove("bv-ahead");
  };
  const write = (values) => {
    const changed = Object.entries(values).map(([id, value]) => [box(id), value ?? ""])
      .filter(([element, value]) => element && element.value !== value);
    for (const [element, value] of changed) { element.value = value; element.style.height = "auto"; }
    const heights = changed.map(([element]) => element.scrollHeight);
    changed.forEach(([element], place) => { element.style.height = `${heights[place]}px`; });
  };
  const isAsWritten = (text) => box("review-copy").value.trim() === text.trim();
  const leadsOn = {
    "review-approve": isAsWritten,
    "review-edit": (text) => !isAsWritten(text),
    "review-reject": () => document.querySelector("#review-reasons input:checked") !== null,
    "review-skip": () => true,
    "review-next": isAsWritten,
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (document.body.classList.contains("bv-ahead") && button?.closest(".bv-desk")) {
      event.stopImmediatePropagation();
      return;
    }
    const says = leadsOn[button?.id];
    const ahead = says && JSON.parse(box("review-ahead").value || "null");
    if (!ahead || ahead.after !== box("review-draft-id").value || !says(ahead.text)) return;
    document.body.classList.add("bv-ahead");
    clearInterval(waiting);
    waiting = setInterval(() => document.getElementById("review-settle").click(), PATIENCE_MS);
    write(ahead.shows);
  }, true);
  window.settleAhead = (ids, values) => settle(Object.fromEntries(ids.map((id, place) => [id, values[place]])));
})();
</script>
"""


def parcel(after: Draft, boxes: Iterable[gr.Textbox], values: Values) -> str:
    """What the page keeps unseen: behind which draft the next one comes, and what these boxes show then."""
    shows = {box.elem_id: values[box] for box in boxes}
    return json.dumps({"after": after.id, "text": after.text, "shows": shows})


def settle(boxes: Iterable[gr.Textbox]) -> str:
    """Script for the end of an event: these boxes show what their components hold, whatever was shown ahead."""
    return f"(...values) => window.settleAhead({json.dumps([box.elem_id for box in boxes])}, values)"
