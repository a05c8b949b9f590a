"""The Review tab's components: filters, the brief, the text in focus and what it is held against, the buttons."""

from typing import NamedTuple, get_args

import gradio as gr

from brand_voice.records import Reason
from brand_voice.ui.brief_view import BriefView, build_brief_view
from brand_voice.ui.bulk_view import BulkView, build_bulk_view
from brand_voice.ui.copy_view import spoken
from brand_voice.ui.parts import copy_text, quiet
from brand_voice.ui.review_filters import Filters, build_filters
from brand_voice.ui.session import Session
from brand_voice.ui.theme import DIFFERENCE_COLOURS, SEVERITY_COLOURS

REASONS = [(f"{number} {spoken(reason)}", reason) for number, reason in enumerate(get_args(Reason), start=1)]


class ReviewTab(NamedTuple):
    """The tab's components."""

    filters: Filters
    reviewer: gr.Textbox
    notice: gr.Textbox
    position: gr.Textbox
    brief: BriefView
    draft_id: gr.Textbox
    who: gr.Textbox
    marked: gr.HighlightedText
    copy: gr.Textbox
    difference: gr.HighlightedText
    """What the edit so far did."""
    count: gr.Textbox
    findings: gr.Textbox
    reasons: gr.CheckboxGroup
    note: gr.Textbox
    approve: gr.Button
    edit: gr.Button
    reject: gr.Button
    skip: gr.Button
    undo: gr.Button
    previous: gr.Button
    next: gr.Button
    revision: gr.Textbox
    """Number of the last review of the draft in focus; travels with the page like its id."""
    others: gr.Textbox
    """The other texts for the same brief."""
    nearest: gr.Textbox
    """The approved text most like this one."""
    ahead: gr.Textbox
    """What the next draft will show, unseen."""
    settle: gr.Button
    """Unseen; the page presses it where an answer stays away."""
    bulk: BulkView
    decided: gr.State
    """What this page decided, the last act last: for each the ids and revisions, one or a list of them at once."""
    skipped: gr.State
    """Ids of what this page skipped."""

    @property
    def boxes(self) -> tuple[gr.Textbox, ...]:
        """What is written ahead of the answer when the next draft comes: its brief and its text, and no identity."""
        return (*self.brief.components, self.who, self.copy, self.count, self.findings, self.note)

    @property
    def focus(self) -> set[gr.Component]:
        """What changes with the draft in focus."""
        return {
            *self.brief.components,
            *(self.position, self.draft_id, self.revision, self.who, self.marked, self.copy),
            *(self.difference, self.count, self.findings, self.reasons, self.note, self.notice),
        }


def build_review_parts(session: Session) -> ReviewTab:
    """Lay the tab out."""
    with gr.Row():
        filters = build_filters(session)
        reviewer = gr.Textbox(
            label="Your name",
            max_lines=1,
            placeholder="On each verdict",
            min_width=130,
            interactive=not session.access.has_login,
            elem_id="review-reviewer",
        )
    notice = quiet("Notice", elem_id="review-notice", notice=True)
    with gr.Row(elem_classes="bv-line"):
        position = quiet("Position in the queue", elem_id="review-position", subdued=True)
        opener = gr.Button("Drafts without findings (B)", size="sm", elem_id="review-bulk-open", min_width=220)
    bulk = build_bulk_view(opener)
    with gr.Row(equal_height=False, elem_classes="bv-desk"):
        with gr.Column(scale=4, min_width=300):
            with gr.Column(elem_classes=["bv-card", "bv-facts"]):
                brief = build_brief_view()
            with gr.Column(elem_classes=["bv-card", "bv-beside"]):
                others = quiet("Other texts for this brief", elem_id="review-others", show_label=True)
                nearest = quiet("Nearest approved text", elem_id="review-nearest", show_label=True)
        with gr.Column(scale=7, min_width=300, elem_classes="bv-card"):
            gr.HTML("<h2>Copy</h2>", padding=False, elem_classes="bv-title")
            who = quiet("Author", elem_id="review-who", subdued=True)
            marked = copy_text("As written", "review-marked", SEVERITY_COLOURS)
            copy = gr.Textbox(
                label="Text", lines=3, max_lines=14, interactive=True, elem_id="review-copy", elem_classes="bv-edit"
            )
            difference = copy_text("Your edit", "review-difference", DIFFERENCE_COLOURS)
            count = quiet("Length", elem_id="review-count")
            findings = quiet("Findings", elem_id="review-findings", show_label=True)
            reasons = gr.CheckboxGroup(REASONS, label="Reasons (a rejection needs one)", elem_id="review-reasons")
            note = gr.Textbox(label="Note", max_lines=4, elem_id="review-note")
            with gr.Row(equal_height=True, elem_classes="bv-acts"):
                approve = gr.Button("Approve (A)", variant="primary", elem_id="review-approve", min_width=80)
                edit = gr.Button("Save edit (E)", elem_id="review-edit", min_width=80)
                reject = gr.Button("Reject (R)", elem_id="review-reject", min_width=80)
            with gr.Row(equal_height=True, elem_classes="bv-acts"):
                skip = gr.Button("Skip (S)", size="sm", elem_id="review-skip", min_width=80)
                undo = gr.Button("Undo (U)", size="sm", elem_id="review-undo", min_width=80)
                previous = gr.Button("Previous (K)", size="sm", elem_id="review-previous", min_width=80)
                next_ = gr.Button("Next (J)", size="sm", elem_id="review-next", min_width=80)
        draft_id = gr.Textbox(visible="hidden", placeholder=" ", elem_id="review-draft-id", label="Draft")
        revision = gr.Textbox(visible="hidden", elem_id="review-revision", label="Reviews of it so far")
        ahead = gr.Textbox(visible="hidden", elem_id="review-ahead", label="The next draft")
    settle = gr.Button("Settle", visible="hidden", elem_id="review-settle")
    return ReviewTab(
        filters=filters,
        reviewer=reviewer,
        notice=notice,
        position=position,
        brief=brief,
        draft_id=draft_id,
        who=who,
        marked=marked,
        copy=copy,
        difference=difference,
        count=count,
        findings=findings,
        reasons=reasons,
        note=note,
        approve=approve,
        edit=edit,
        reject=reject,
        skip=skip,
        undo=undo,
        previous=previous,
        next=next_,
        revision=revision,
        others=others,
        nearest=nearest,
        ahead=ahead,
        settle=settle,
        bulk=bulk,
        decided=gr.State([]),
        skipped=gr.State([]),
    )
