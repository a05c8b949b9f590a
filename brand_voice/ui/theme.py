"""How the app looks: one system typeface, ink on paper, colour only where it means something. Light and dark.

Nothing is downloaded: the fonts are the system's. `HEAD` holds the keyboard shortcuts: a script that clicks buttons by
`elem_id` and stays silent while somebody types, because Gradio has no parameter for shortcuts (6.31).
"""

import gradio as gr

FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "monospace")
INK = gr.themes.Color(
    name="ink",
    c50="#f7f7f5",
    c100="#efeeea",
    c200="#dfddd6",
    c300="#c6c3b9",
    c400="#95928a",
    c500="#6b6963",
    c600="#53514c",
    c700="#3b3a36",
    c800="#262522",
    c900="#1b1a18",
    c950="#121110",
)
DIFFERENCE_COLOURS = {"Out": "#c2362b", "In": "#2e7d4f"}
SEVERITY_COLOURS = {"Block": "#c2362b", "Warn": "#b7791f", "Suggest": "#2f6fb0"}


def theme() -> gr.themes.Base:
    """The theme; every colour that is not set here follows from `INK`."""
    made = gr.themes.Base(
        primary_hue=INK,
        secondary_hue=INK,
        neutral_hue=INK,
        font=FONTS,
        font_mono=MONO,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
    )
    return made.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="0px",
        block_shadow="none",
        block_label_text_weight="500",
        block_title_text_weight="500",
        block_title_text_size="*text_sm",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        block_padding="0px",
        input_border_width="1px",
        input_padding="8px 10px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*neutral_600",
        input_border_color_focus_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*neutral_900",
        button_primary_background_fill_hover="*neutral_700",
        button_primary_text_color="white",
        button_primary_background_fill_dark="*neutral_100",
        button_primary_background_fill_hover_dark="*neutral_300",
        button_primary_text_color_dark="*neutral_900",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_large_text_size="*text_md",
        button_large_text_weight="600",
        button_large_padding="9px 14px",
    )


CSS = """
.gradio-container { width: 100% !important; max-width: 1360px !important; margin: 0 auto !important;
  padding: 20px 24px 48px !important; }
.gradio-container .main { padding: 0 !important; }
footer { display: none !important; }
:focus-visible { outline: 2px solid var(--body-text-color) !important; outline-offset: 2px; }
.form { background: transparent !important; border: 0 !important; gap: 12px !important; }
.form > .block { background: transparent !important; }
.wrap-inner { padding: 5px 8px !important; }
.wrap-inner input { text-overflow: ellipsis; padding-right: 26px !important; }
.block .wrap:has(> .wrap-inner) { border: 1px solid var(--input-border-color) !important; }
button[role=tab] { color: var(--body-text-color-subdued) !important; }
button[role=tab].selected { color: var(--body-text-color) !important; font-weight: 600; }
.bv-header { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: baseline; }
.bv-header h1 { font-size: 20px; font-weight: 650; letter-spacing: -0.01em; margin: 0; }
.bv-header p { margin: 0; font-size: 13px; color: var(--body-text-color-subdued); }
.bv-card { background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: 10px; padding: 16px !important; gap: 12px !important; }
.bv-title h2 { font-size: 15px; font-weight: 600; margin: 0; }

/* Plain text in a text box without the box. */
.bv-quiet { background: transparent !important; }
.bv-quiet textarea { background: transparent !important; border: 0 !important; padding: 0 !important;
  box-shadow: none !important; resize: none !important; color: var(--body-text-color) !important;
  -webkit-text-fill-color: currentColor; opacity: 1 !important; font-size: 14px; line-height: 1.45; }
.bv-quiet:has(textarea:placeholder-shown), .bv-desk:has(#review-draft-id :placeholder-shown),
.bv-offered:disabled, .bv-beside:not(:has(textarea:not(:placeholder-shown))),
#review-marked:not(:has(.token)), #review-difference:not(:has(.token)) { display: none !important; }
.bv-subdued textarea { color: var(--body-text-color-subdued) !important; font-size: 13px; }
.bv-notice textarea { border-left: 3px solid var(--body-text-color) !important; border-radius: 0 !important;
  padding-left: 12px !important; }

/* Copy as text that flows: Gradio lays the pieces out as boxes and breaks words anywhere (6.31). */
.bv-copy { background: transparent !important; }
.bv-copy .container { padding: 0 !important; }
.bv-copy .textfield { display: block !important; font-size: 0; line-height: 0; word-break: normal;
  overflow-wrap: anywhere; }
.bv-copy .text { font-size: 17px; line-height: 28px; color: var(--body-text-color) !important; }
.bv-copy .token.highlighted { margin: 0; padding: 0; cursor: text; white-space: nowrap;
  background-image: linear-gradient(var(--bv-veil), var(--bv-veil)); }
.bv-copy .token.highlighted .text { background: inherit; border-radius: 3px; padding: 2px 3px; }
.bv-copy .label { font-size: 11px; line-height: 16px; text-transform: none; vertical-align: 2px; margin: 0 3px;
  white-space: nowrap; }
:root { --bv-veil: rgb(255 255 255 / 0.6); }
.dark { --bv-veil: rgb(27 26 24 / 0.5); }
.bv-edit textarea { font-size: 17px !important; line-height: 1.6 !important; }

/* The brief: names on the left, what they are on the right. */
.bv-facts label { display: grid !important; grid-template-columns: 104px minmax(0, 1fr); gap: 0 12px; }
.bv-facts label > span { margin: 0 !important; line-height: 20px; }
.bv-facts .form { gap: 8px !important; }

/* The result card: an interval from 0 to 100%, one half marked. */
.bv-hint { margin: 0; font-size: 14px; color: var(--body-text-color-subdued); }
.bv-result { margin-top: 4px; }
.bv-result h2 { font-size: 15px; font-weight: 600; margin: 0 0 6px; overflow-wrap: anywhere; }
.bv-result p, .bv-result dl { margin: 0 0 10px; font-size: 14px; }
.bv-result dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; }
.bv-result dt, .bv-result th { color: var(--body-text-color-subdued); font-weight: 400; }
.bv-result dd { margin: 0; }
.bv-result small { color: var(--body-text-color-subdued); }
.bv-result table { width: 100%; font-size: 13px; border-collapse: collapse; }
.bv-result :is(table, thead, tbody, tr) { border: 0 !important; }
.bv-result :is(th, td) { text-align: left; padding: 3px 12px 3px 0 !important; border: 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; }
.bv-text { justify-content: flex-start !important; }
.bv-text > * { flex-grow: 0 !important; }
.bv-interval { position: relative; height: 10px; margin: 0 0 12px; border-radius: 5px;
  background: var(--neutral-200); }
.dark .bv-interval { background: var(--neutral-800); }
.bv-interval span { position: absolute; height: 100%; border-radius: 5px; background: var(--neutral-500); }
.bv-interval b, .bv-interval i { position: absolute; top: -3px; width: 2px; height: 16px; }
.bv-interval b { background: var(--body-text-color); }
.bv-interval i { left: 50%; background: var(--neutral-400); }

/* A few small buttons side by side, and what is there only while they can be pressed. */
.bv-few { justify-content: flex-start !important; }
.bv-few > button { flex: 0 0 auto !important; }
#import-file { border: 1px dashed var(--input-border-color) !important; }
#import-table * { font-family: var(--font) !important; }
.bv-few:not(:has(button:enabled)), #import-rest:has(#import-discard:disabled) { display: none !important; }
@media (max-width: 640px) {
  .gradio-container { padding: 14px 12px 40px !important; }
  .bv-card { padding: 12px !important; }
  .bv-card button.lg { padding: 9px 4px !important; font-size: 13px !important; }
}
"""

HEAD = """
<script>
(() => {
  const keys = {
    a: "review-approve", r: "review-reject", u: "review-undo", s: "review-skip", j: "review-next", k: "review-previous",
    n: "compare-next", 1: "compare-left", 2: "compare-right", 3: "compare-tie", 4: "compare-both_bad",
  };
  const copyBox = () => document.querySelector("#review-copy textarea");
  const seen = (element) => element && element.offsetParent !== null;
  const press = (id) => {
    const button = document.getElementById(id);
    if (!seen(button)) return false;
    button.click();
    return true;
  };
  const isTyping = (element) =>
    element.isContentEditable || element.closest("#import-table") ||
    element.matches("textarea, select, input:not([type=checkbox]):not([type=radio])");
  const inFocus = () => document.querySelector("#review-draft-id :is(textarea, input)").value;
  let changed = null;
  document.addEventListener("input", (event) => { if (event.target === copyBox()) changed = inFocus(); }, true);
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      press(target === copyBox() ? "review-edit" : "write-go");
      return;
    }
    if (event.key === "Escape" && isTyping(target)) { target.blur(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(target)) return;
    const key = event.key.toLowerCase();
    if (key === "e" && seen(copyBox()) && changed !== inFocus()) { event.preventDefault(); copyBox().focus(); return; }
    if (key === "e") { press("review-edit"); return; }
    if (key in keys && press(keys[key])) return;
    if (key >= "1" && key <= "9") {
      const reason = document.querySelectorAll("#review-reasons input[type=checkbox]")[Number(key) - 1];
      if (seen(reason)) reason.click();
    }
  });
})();
</script>
"""
