"""How the app looks: one system typeface, ink on paper, colour only where it means something. Light and dark.

Nothing is downloaded: the fonts are the system's.
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
SEVERITY_COLOURS = {"Block": "#c2362b", "Warn": "#8f5d10", "Suggest": "#2f6fb0"}


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
button[role=tab]:focus-visible { outline-offset: -3px; }
button[role=tab] { color: var(--body-text-color-subdued) !important; }
button[role=tab].selected { color: var(--body-text-color) !important; font-weight: 600; }
.bv-header { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: baseline; }
.bv-header h1 { font-size: 20px; font-weight: 650; letter-spacing: -0.01em; margin: 0; }
.bv-header p { margin: 0; font-size: 13px; color: var(--body-text-color-subdued); }
.bv-header .bv-who { margin-left: auto; overflow-wrap: anywhere; }
.bv-who span { white-space: nowrap; }
.bv-who a { color: var(--body-text-color) !important; text-decoration: underline; text-underline-offset: 2px;
  margin: 0 !important; padding: 0 !important; }
:is(#review-reviewer, #compare-voter) :disabled { background: transparent !important; }
/* Review is shown to whom it serves; that nobody else can use it is seen to where its events are wired. */
body:has(.bv-header:is([data-role=""], [data-role=copywriter])) #tab-review-button { display: none !important; }
.bv-card { background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: 10px; padding: 16px !important; gap: 12px !important; }
.bv-title h2 { font-size: 15px; font-weight: 600; margin: 0; }

/* Plain text in a text box without the box. */
.bv-quiet { background: transparent !important; }
.bv-quiet textarea { background: transparent !important; border: 0 !important; padding: 0 !important;
  box-shadow: none !important; resize: none !important; color: var(--body-text-color) !important;
  -webkit-text-fill-color: currentColor; opacity: 1 !important; font-size: 14px; line-height: 1.45; }
/* Gradio (6.31) measures a text when it comes: one line, where its tab is not seen. So the browser does where it can;
   asked within the rule, because Gradio drops every @supports around rules. */
:is(.bv-quiet, .bv-edit) textarea {
  @supports (field-sizing: content) {
    field-sizing: content; height: auto !important; overflow-y: auto !important; max-height: 20lh; } }
.bv-edit textarea { min-height: calc(2lh + 18px); max-height: calc(14lh + 18px); }
#review-copy textarea { min-height: calc(3lh + 18px); }
.bv-quiet:has(textarea:placeholder-shown), .bv-desk:has(#review-draft-id :placeholder-shown),
.bv-offered:disabled, .bv-beside:not(:has(textarea:not(:placeholder-shown))),
#review-marked:not(:has(.token)), .bv-side .bv-copy:not(:has(.token)), #difference .bv-copy:not(:has(.token)),
#review-difference:not(:has(.token)), .bv-side:has(.bv-heading textarea:placeholder-shown),
.bv-side:has(.bv-offered[id$=take]:disabled) .bv-edit, .bv-chips:not(:has(input)),
.bv-pick:not(:has(label ~ label)) { display: none !important; }
.bv-heading textarea { font-size: 15px; font-weight: 600; }
.bv-chips .wrap { gap: 6px !important; }
.bv-chips label { padding: 3px 10px !important; font-size: 13px; border: 1px solid var(--border-color-primary);
  border-radius: 999px; background: var(--button-secondary-background-fill); cursor: pointer; }
.bv-chips label:has(:checked) { border-color: var(--body-text-color); }
.bv-chips label:has(:focus-visible) { outline: 2px solid var(--body-text-color); outline-offset: 2px; }
.bv-chips input { position: absolute; opacity: 0; }
.bv-chips label { max-width: 100%; }
.bv-chips label span { margin-left: 0 !important; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#write-writers .remove-all { display: none; }
#write-writers .secondary-wrap { min-width: 28px !important; }
#write-writers input { min-width: 0 !important; width: 20px; }
.bv-subdued textarea { color: var(--body-text-color-subdued) !important; font-size: 13px; }
.bv-notice textarea { border-left: 3px solid var(--body-text-color) !important; border-radius: 0 !important;
  padding-left: 12px !important; }

/* Copy as text that flows: Gradio lays the pieces out as boxes and breaks words anywhere (6.31). */
.bv-copy { background: transparent !important; }
.bv-copy .container { padding: 0 !important; }
.bv-copy .textfield { display: block !important; font-size: 0; line-height: 0; word-break: normal;
  overflow-wrap: anywhere; }
.bv-copy .text { font-size: 17px; line-height: 28px; color: var(--body-text-color) !important; }
.bv-copy .text, .bv-copy .label { unicode-bidi: isolate; }
.bv-copy .token.highlighted { margin: 0; padding: 0; cursor: text; white-space: nowrap;
  background-image: linear-gradient(var(--bv-veil), var(--bv-veil)); }
.bv-copy .token.highlighted .text { background: inherit; border-radius: 3px; padding: 2px 3px; }
.bv-copy .line-break { display: block; }
.bv-copy .line-break + .line-break { height: 28px; }
.bv-copy .label { font-size: 11px; line-height: 16px; text-transform: none; vertical-align: 2px; margin: 0 3px;
  white-space: nowrap; }
:root { --bv-veil: rgb(255 255 255 / 0.6); }
.dark { --bv-veil: rgb(27 26 24 / 0.5); }
.bv-edit textarea { font-size: 17px !important; line-height: 1.6 !important;
  border: 1px solid var(--input-border-color) !important; padding: 8px 10px !important; }

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
.bv-rule { gap: 8px !important; margin-top: 8px; }
.bv-rule + .bv-rule { border-top: 1px solid var(--border-color-primary); padding-top: 12px; }
.bv-text { justify-content: flex-start !important; }
.bv-text > * { flex-grow: 0 !important; }
.bv-interval { position: relative; height: 10px; margin: 0 0 12px; border-radius: 5px;
  background: var(--neutral-200); }
.dark .bv-interval { background: var(--neutral-800); }
.bv-interval span { position: absolute; height: 100%; border-radius: 5px; background: var(--neutral-500); }
.bv-interval b, .bv-interval i { position: absolute; top: -3px; width: 2px; height: 16px; }
.bv-interval b { background: var(--body-text-color); }
.bv-interval i { left: 50%; background: var(--neutral-400); }

/* The list of drafts without findings: a row is a label of two paragraphs, what it is for and the text. */
.bv-line { align-items: center; }
.bv-line > button { flex-grow: 0 !important; }
.bv-bulk:has(#review-bulk-size :placeholder-shown),
body:has(#review-bulk-size :is(textarea, input):not(:placeholder-shown)) :is(.bv-desk, .bv-line) {
  display: none !important; }
.bv-bulk .row > button { flex-grow: 0 !important; white-space: nowrap; }
.bv-rows { padding: 0 !important; }
.bv-rows .wrap { flex-direction: column; flex-wrap: nowrap; gap: 0 !important; }
.bv-rows .wrap label { align-items: flex-start; width: 100%; padding: 8px !important; border-radius: 6px;
  border: 0 !important; border-top: 1px solid var(--border-color-primary) !important; background: none !important;
  color: var(--body-text-color) !important; font-weight: 400; box-shadow: none; }
.bv-rows .wrap label:focus-within { background: var(--button-secondary-background-fill) !important; }
.bv-rows .wrap input { margin-top: 4px; flex-shrink: 0; }
.bv-rows .wrap span { display: block; flex: 1; min-width: 0; font-size: 15px; line-height: 1.5; white-space: pre-line;
  overflow: hidden; text-overflow: ellipsis; unicode-bidi: plaintext; }
.bv-rows .wrap span::first-line { font-size: 12px; color: var(--body-text-color-subdued); }

/* The key sheet. */
.bv-header #keys-open { margin-left: auto; }
:is(#keys-open, #keys-close) { font: inherit; font-size: 13px; padding: 3px 10px; border-radius: 6px; cursor: pointer;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--body-text-color); }
#keys { margin: auto !important; width: min(760px, calc(100vw - 24px)); max-height: calc(100vh - 24px); padding: 20px;
  overflow: auto; border: 1px solid var(--border-color-primary); border-radius: 10px;
  background: var(--block-background-fill); color: var(--body-text-color); }
#keys::backdrop { background: rgb(0 0 0 / 0.45); }
#keys header { display: flex; justify-content: space-between; align-items: center; margin-bottom: 12px; }
#keys :is(h2, h3) { margin: 0; font-weight: 600; color: inherit; }
#keys h2 { font-size: 16px; }
#keys h3 { font-size: 13px; margin-bottom: 6px; }
#keys > div { columns: 320px 2; column-gap: 32px; }
#keys section { break-inside: avoid; margin-bottom: 16px; }
#keys dl { margin: 0; }
#keys dl div { display: grid; grid-template-columns: 104px 1fr; gap: 12px; padding: 2px 0; font-size: 13px; }
#keys dd { margin: 0; }
/* What was marked in the draft before, while the next one is shown ahead of the answer. */
body.bv-ahead :is(#review-marked, #review-difference) { visibility: hidden; }
kbd { font-family: var(--font-mono); font-size: 12px; padding: 1px 5px; border-radius: 4px;
  border: 1px solid var(--border-color-primary); background: var(--background-fill-secondary); color: inherit; }
/* A few small buttons side by side, and what is there only while they can be pressed. */
.bv-few { justify-content: flex-start !important; gap: 8px !important; }
.bv-few > button { flex: 0 0 auto !important; padding: 4px 14px !important; }
#import-file { border: 1px dashed var(--input-border-color) !important; }
#import-table * { font-family: var(--font) !important; }
.bv-few:not(:has(button:enabled)), #import-rest:has(#import-discard:disabled) { display: none !important; }
@media (max-width: 640px) {
  .gradio-container { padding: 14px 12px 40px !important; }
  .bv-card { padding: 12px !important; }
  #keys-open { display: none; }
  .bv-card button.lg { padding: 9px 4px !important; font-size: 13px !important; }
  .bv-acts { gap: 8px !important; }
  .bv-acts button.lg.lg { padding: 9px 0 !important; }
  .bv-acts:has(> :nth-child(4)) { display: grid !important; grid-template-columns: 1fr 1fr; }
}
"""
