import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brand_voice.answer_files import check_output, write_answers
from brand_voice.brand import BrandFolder, load_brand
from brand_voice.brief_files import COLUMNS, CopyRow, Row, copy_rows, read_briefs, read_copy, template, write_copy
from brand_voice.errors import InputError
from brand_voice.records import Answer, Finding

HEADER = "id,channel,locale,sku,key_message\n"
GOOD = "a,sms,en-US,TW-105,takes cream\n"


@pytest.fixture
def read(tmp_path, tidewater: BrandFolder):
    def reader(content: str | bytes, name: str = "briefs.csv") -> list[Row]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_briefs(path, brand=tidewater.guide, products=tidewater.products)

    return reader


def test_the_shipped_briefs_are_read_as_jsonl(tidewater):
    rows = read_briefs(tidewater.path / "briefs.jsonl", brand=tidewater.guide, products=tidewater.products)
    assert tuple(row.brief for row in rows) == tidewater.briefs


@pytest.mark.parametrize("brand_id", ["tidewater", "fjellvik", "vela"])
def test_the_template_of_every_brand_reads_back_without_a_problem(brand_id, tmp_path):
    brand = load_brand(brand_id)
    path = tmp_path / "template.csv"
    path.write_text(template(brand.guide, brand.products))
    rows = read_briefs(path, brand=brand.guide, products=brand.products)
    assert [row.problem for row in rows] == [None, None]
    assert rows[0].brief.product.sku and rows[1].brief.product.sku is None
    assert rows[1].brief.must_include == ("Sample Product", "10% off")
    assert path.read_text().partition("\n")[0].split(",") == list(COLUMNS)


def test_a_sku_brings_the_catalogues_facts_unless_the_row_has_its_own(read, tidewater):
    listed = next(p for p in tidewater.products if p.sku == "TW-105")
    both = read("channel,locale,sku,facts,key_message\nsms,en-US,TW-105,,x\nsms,en-US,TW-105,one|two ,x\n")
    assert both[0].brief.product.facts == listed.facts
    assert both[1].brief.product.facts == ("one", "two")
    assert both[0].brief.product.name == listed.name
    assert [row.id for row in both] == ["1", "2"]


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_spreadsheet_habits_are_understood(read, separator):
    header = separator.join(["ID", '"Channel"', "Locale", "SKU", "Key message", "Must include"])
    row = separator.join(["a", "sms", "en-US", "TW-105", '"says ""hi""; and, so on"'])  # empty ends left out
    content = f"\ufeff{header}\r\n\r\n{row}\r\n"
    assert [(r.problem, r.brief.key_message) for r in read(content)] == [(None, 'says "hi"; and, so on')]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,fax,en-US,TW-105,x", "channel: saw 'fax'; expected email_subject"),
        ("a,sms,de-DE,TW-105,x", "locale: saw 'de-DE'; expected en-US"),
        ("a,sms,english,TW-105,x", "locale: saw 'english'"),
        ("a,sms,en-US,TW-15,x", "sku: saw 'TW-15'; expected one of the catalogue's 45, for example TW-1"),
        ("a,sms,en-US,,x", "sku, product_name: both empty"),
        ("a,sms,en-US,TW-105,", "key_message: saw nothing"),
        ("a,sms,en-US,TW-105,one, two", "saw 6 cells; expected 5"),
        (f"{'a' * 90},sms,en-US,TW-105,x", "id: saw"),
        (f"a,sms,en-US,TW-105,{'y' * 1_000_000}", "(1,000,002 characters)"),
    ],
)
def test_a_bad_row_is_told_and_the_rest_goes_on(read, row, told):
    bad, good = read(f"{HEADER}{row}\nb,sms,en-US,TW-105,fine\n")
    assert bad.brief is None and told in bad.problem and len(bad.problem) < 300
    assert good.brief is not None and good.index == 1


def test_the_second_row_of_an_id_is_invalid_and_names_the_first(read):
    first, second, third = read(HEADER + GOOD + GOOD.replace("cream", "milk") + GOOD.replace("a,", "b,"))
    assert (first.problem, third.problem) == (None, None)
    assert second.brief is None and second.problem == "id: saw 'a' again; row 1 has it"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (HEADER.encode(), "holds no briefs"),
        (b"id,kanal,locale\n1,2,3\n", "missing: channel, key_message, sku or product_name; unknown: 'kanal'"),
        (b"id,id,channel,locale,sku,key_message\n", "twice: id"),
        (HEADER.encode() + b'a,sms,en-US,TW-105,"never closed\nb,sms\n', "unexpected end of data"),
        (b"PK\x03\x04\x14\x00\x06\x00", "is a workbook"),
        ((HEADER + GOOD).encode("utf-16"), "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_such_thing_is_refused_with_a_remedy(read, content, told):
    with pytest.raises(InputError) as caught:
        read(content)
    assert told in caught.value.message
    assert caught.value.remedy


def test_jsonl_rows_fail_one_by_one_and_a_file_without_any_object_as_a_whole(read, tidewater):
    good = tidewater.briefs[0].model_dump_json().replace("takes", "takes\u2028")
    other = json.loads(good) | {"brand": "vela", "id": "v"}
    rows = read(f"{good}\n{json.dumps(other)}\n{good[:50]}\n", "briefs.jsonl")
    assert rows[0].brief is not None and "invalid JSON" in rows[2].problem
    assert rows[1].problem == "brand: saw 'vela'; expected tidewater"
    with pytest.raises(InputError, match="is not JSONL"):
        read("id,channel\n1,sms\n", "briefs.jsonl")


anything = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=300).map(lambda text: (HEADER + text).encode("utf-8", "surrogatepass")),
    st.lists(st.lists(st.text(max_size=20), max_size=7).map(",".join)).map(
        lambda rows: (HEADER + "\n".join(rows)).encode()
    ),
    st.recursive(
        st.none() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    ).map(lambda value: json.dumps({"id": value}).encode()),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=anything, name=st.sampled_from(["x.csv", "x.jsonl", "x"]))
def test_whatever_the_bytes_are_there_are_rows_or_an_input_error(read, content, name):
    try:
        rows = read(content, name)
    except InputError as error:
        assert error.remedy
    else:
        assert rows
        assert all((row.brief is None) != (row.problem is None) for row in rows)
        assert [row.index for row in rows] == list(range(len(rows)))
        assert len({row.id for row in rows if row.brief}) == sum(row.brief is not None for row in rows)


def answer(row: int = 0, text: str = "Pour.", **more) -> Answer:
    return Answer(job_id="j", row=row, id=str(row), status="ok", text=text, **more)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_of_the_csv_is_a_formula_and_every_text_survives(tmp_path, text):
    path = tmp_path / "out.csv"
    write_answers(path, [answer(text=text, adapter="@x")])
    (cells,) = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    assert not any((cell or " ")[0] in "=+-@\t\r" for cell in cells.values())
    assert cells["text"].removeprefix("'") == text or cells["text"] == text
    assert cells["adapter"] == "'@x"


def test_jsonl_holds_every_finding_and_marks_generated_text(tmp_path):
    path = tmp_path / "out.jsonl"
    finding = Finding(rule="length.max", check="length", severity="block", message="too long", start=0, end=3)
    write_answers(path, [answer(text="=1+1", findings=(finding,)), answer(1, "")])
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first["text"] == "=1+1" and first["findings"] == [finding.model_dump()]
    assert first["digital_source_type"].endswith("trainedAlgorithmicMedia")
    assert second["digital_source_type"] is None
    assert {"id", "status", "model", "adapter", "tokens", "latency_ms", "cost_usd"} <= first.keys()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write_answers(tmp_path / "out.csv", [answer()])
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_an_output_that_cannot_be_written_is_refused_before_the_job(tmp_path):
    source = tmp_path / "in.csv"
    for out, told in (("out.xlsx", "cannot tell a format"), ("no/out.csv", "no folder"), ("in.csv", "input file")):
        with pytest.raises(InputError, match=told):
            check_output(tmp_path / out, source=source)
    check_output(tmp_path / "out.jsonl", source=source)


COPY = """text,channel,key_message,sku,offer
Toba Rain takes cream without disappearing.,sms,takes cream,,
Jar and Sock: no straining at midnight.,,,,
,sms,nothing at all,,
"Rain, then coffee.",sms,rain,TW-999,
Pour slowly.,tagline,slowness,,10% off
"""


def copied(tmp_path, tidewater: BrandFolder, content: str, **more) -> list[CopyRow]:
    path = tmp_path / "copy.csv"
    path.write_text(content, encoding="utf-8")
    return read_copy(path, brand=tidewater.guide, products=tidewater.products, **more)


def test_approved_copy_is_read_with_what_is_known_and_told_what_it_lacks(tmp_path, tidewater):
    whole, bare, empty, unknown, nameless = copied(tmp_path, tidewater, COPY)
    assert (whole.brief.product.name, whole.brief.locale, whole.problem) == ("Toba Rain", "en-US", None)
    assert (bare.missing, bare.brief, bare.problem) == (("channel", "key_message"), None, None)
    assert bare.cells["sku"] == next(p.sku for p in tidewater.products if p.name == "Jar and Sock")
    assert "text: saw nothing" in empty.problem
    assert "sku: saw 'TW-999'" in unknown.problem
    assert nameless.missing == ("product_name",)
    assert copied(tmp_path, tidewater, COPY, channel="tagline")[1].missing == ("key_message",)
    with pytest.raises(InputError, match="no channel 'poster'"):
        copied(tmp_path, tidewater, COPY, channel="poster")


def test_copy_torn_by_a_comma_or_far_too_long_is_told_and_not_taken_in_part(tmp_path, tidewater):
    torn, long, fine = copied(tmp_path, tidewater, f'text\nRain, then coffee.\n{"x" * 1_000_000}\n"Rain, again."\n')
    assert (torn.problem, torn.missing) == ("saw 2 cells; expected 1: quote a cell that holds commas", ())
    assert "(1,000,002 characters); expected at most 20,000" in long.problem
    assert (fine.text, fine.problem) == ("Rain, again.", None)


def test_rows_completed_in_a_table_are_judged_like_a_files(tidewater):
    cells = {"text": "Toba Rain waits.", "channel": "sms", "locale": "en-US"}
    given = [(4, cells), (7, cells | {"key_message": "it waits"}), (8, cells | {"key_message": "x", "channel": "fax"})]
    lacking, whole, wrong = copy_rows(given, brand=tidewater.guide, products=tidewater.products)
    assert (lacking.index, lacking.missing, lacking.cells["sku"]) == (4, ("key_message",), whole.brief.product.sku)
    assert (whole.index, whole.brief.key_message) == (7, "it waits")
    assert (wrong.brief, wrong.missing, wrong.problem[:18]) == (None, (), "channel: saw 'fax'")


def test_what_lacks_a_brief_is_written_completed_and_read_again(tmp_path, tidewater):
    lacking = [row for row in copied(tmp_path, tidewater, COPY) if row.missing]
    write_copy(tmp_path / "missing.csv", lacking)
    done = (tmp_path / "missing.csv").read_text("utf-8-sig").replace(",,TW", ",sms,TW")
    lines = list(csv.DictReader(io.StringIO(done)))
    for line in lines:
        line |= {"channel": line["channel"] or "sms", "key_message": "slow"}
        line |= {"product_name": "" if line["sku"] else "Mug"}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, lines[0])
    writer.writeheader()
    writer.writerows(lines)
    again = copied(tmp_path, tidewater, stream.getvalue())
    assert [row.text for row in again] == [row.text for row in lacking]
    assert all(row.brief and not row.problem for row in again)
