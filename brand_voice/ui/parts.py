"""The page's smallest parts, alike in every tab: plain lines, copy to be read, buttons that come and go."""

import gradio as gr


def quiet(
    label: str,
    *,
    elem_id: str | None = None,
    show_label: bool = False,
    subdued: bool = False,
    notice: bool = False,
    heading: bool = False,
) -> gr.Textbox:
    """A line or two of plain text, invisible while empty; a text box, because that shows whatever it gets as text.

    The style sheet hides it, not `visible`: when that changes twice in quick succession, Gradio 6.31 may lose the
    second change.
    """
    looks = {"bv-subdued": subdued, "bv-notice": notice, "bv-heading": heading}
    return gr.Textbox(
        label=label,
        show_label=show_label,
        container=show_label,
        interactive=False,
        lines=1,
        max_lines=20,
        placeholder=" ",
        elem_id=elem_id,
        elem_classes=["bv-quiet", *(name for name, is_so in looks.items() if is_so)],
    )


def copy_text(label: str, elem_id: str, colours: dict[str, str] | None = None) -> gr.HighlightedText:
    """Copy to be read, with marked pieces where `colours` names their labels; whatever it gets is shown as text."""
    return gr.HighlightedText(
        [],
        label=label,
        show_label=False,
        container=False,
        show_whitespaces=True,
        color_map=colours,
        elem_id=elem_id,
        elem_classes="bv-copy",
    )


def offered(label: str, elem_id: str) -> gr.Button:
    """A button that is seen only while it can be pressed."""
    return gr.Button(label, size="sm", interactive=False, elem_id=elem_id, elem_classes="bv-offered")
