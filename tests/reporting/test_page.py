"""The report: valid, self-contained, harmless whatever a scenario says, and true to the JSON."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import pytest

from simbudget.distributions.posteriors import Posterior
from simbudget.projection.run import Options, project
from simbudget.report.html.page import Subject, report_page
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, Checked, LearntFrom
from simbudget.scenario.loading import loads_scenario
from tests.reporting.small import small

HOSTILE = '\'</script><script>document.title="owned"</script><img src=x onerror=document.title="owned"> & {{ 7 * 7 }}\''


def made(text: str, replications: int = 30) -> tuple[str, dict]:
    loaded = loads_scenario(text)
    projection = project(loaded.scenario, Options(replications=replications, workers=1))
    subject = Subject(projection, loaded.provenance, text, "small.yaml", "simbudget report small.yaml")
    return report_page(subject), projection.as_json()


@pytest.fixture(scope="module")
def report() -> tuple[str, dict]:
    return made(small())


@pytest.fixture(scope="module")
def hostile() -> tuple[str, dict]:
    return made(small(name=HOSTILE), 4)


def parsed(page: str) -> Element:
    """Return the document; an error if it is not what the HTML standard wants."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def strip_scripts(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_a_report_is_html_without_a_parse_error(report, hostile):
    for page, _ in (report, hostile):
        parsed(page)


def test_the_strict_parser_finds_a_fault():
    with pytest.raises(html5lib.html5parser.ParseError):
        parsed("<!DOCTYPE html><html lang=en><title>x</title><p></div>")


def test_the_figures_of_a_report_are_those_of_the_json(report):
    page, summary = report
    told = [each for each in parsed(page).iter("data") if each.get("data-figure")]
    assert len(told) > 80
    for each in told:
        path = each.get("data-figure")
        found = summary
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        value = each.get("value")
        assert (None if value == "" else float(value)) == found, path
    embedded = json.loads(re.search(r'id="summary">(.*?)</script>', page, re.S).group(1))
    assert embedded == json.loads(json.dumps(summary))


def test_every_figure_of_the_head_is_among_them(report):
    page, _ = report
    told = {each.get("data-figure") for each in parsed(page).iter("data")}
    assert {
        "spend_usd.p10",
        "spend_usd.p50",
        "spend_usd.p90",
        "probability_within_budget",
        "limits.0.value",
    } <= told
    assert {f"spend_by_component_usd.{name}.mean" for name in ("tokens", "gpu", "gates")} <= told


def test_a_report_refers_to_nothing_outside_itself(report):
    page, _ = report
    document = parsed(page)
    for element in document.iter():
        for name in ("src", "href", "action", "poster", "srcset"):
            value = element.get(name)
            assert value is None or value.startswith("#"), (element.tag, value)
    ids = {element.get("id") for element in document.iter()}
    assert all(element.get("href")[1:] in ids for element in document.iter("a"))
    styles = "".join(element.text or "" for element in document.iter("style"))
    assert all(url.startswith("data:") for url in re.findall(r"url\(\"?([^)]{0,20})", styles))
    assert "@import" not in styles
    assert len(page.encode()) < 5_000_000


def test_only_the_reports_own_scripts_may_run(report):
    page, _ = report
    policy = next(m.get("content") for m in parsed(page).iter("meta") if m.get("http-equiv"))
    scripts = [s for s in parsed(page).iter("script") if s.get("type") is None]
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_a_hostile_name_is_shown_and_not_obeyed(hostile):
    page, summary = hostile
    document = parsed(page)
    assert document.find(".//h1").text == summary["scenario"]
    assert not list(document.iter("img"))
    assert len(list(document.iter("script"))) == 4
    assert "{{ 7 * 7 }}" in document.find(".//h1").text


def test_each_chart_has_words_and_its_data_as_a_table(report):
    document = parsed(report[0])
    figures = list(document.iter("figure"))
    assert len(figures) == 7
    for figure in figures:
        plot = next(div for div in figure.iter("div") if div.get("role") == "img")
        assert len(plot.get("aria-label")) > 30
        assert next(figure.iter("tbody")).findall("tr")
        assert figure.find("figcaption") is not None


def test_headings_go_down_one_step_at_a_time(report):
    levels = [int(e.tag[1]) for e in parsed(report[0]).iter() if re.fullmatch("h[1-6]", str(e.tag))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_every_assumption_stands_with_its_line(report):
    page = report[0]
    loaded = loads_scenario(small())
    named = {e.text for e in parsed(page).iter("th") if e.get("scope") == "row"}
    assert {row.name for row in loaded.provenance} <= named
    assert hashlib.sha256(small().encode()).hexdigest() in page


def test_one_certain_run_is_told_without_intervals():
    exact = "fleet: [{agents: 1, model: claude-opus-4-6}]\ncycle: [{think: {turns: 5}}]\nstop: {after: 1 h}\n"
    exact += "turn: {output_tokens: 100, tool_result_tokens: 100, tool_time: 5 s}\n"
    exact += "models: {claude-opus-4-6: {first_token: 2 s, output_speed: 50 tokens/s}}\n"
    page, summary = made(exact)
    assert summary["replications"] == 1
    assert "80 % of runs spend" not in strip_scripts(page)
    parsed(page)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_draws_the_report_and_asks_the_network_for_nothing(hostile, tmp_path: Path):
    path, log = tmp_path / "report.html", tmp_path / "net.json"
    path.write_text(hostile[0], encoding="utf-8")
    document, errors = _browse(path, log, tmp_path)
    assert document.count("<svg") >= 7
    assert "<title>owned" not in document
    assert "Uncaught" not in errors and "Refused to" not in errors
    assert _asked(log) == set()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_browsers_log_would_show_a_request(tmp_path: Path):
    path, log = tmp_path / "page.html", tmp_path / "net.json"
    path.write_text('<!DOCTYPE html><title>x</title><img src="http://127.0.0.1:9/a.png" alt="">')
    _browse(path, log, tmp_path)
    assert _asked(log) == {"http://127.0.0.1:9/a.png"}


def _browse(path: Path, log: Path, folder: Path) -> tuple[str, str]:
    """Return the document after its scripts ran, and what the browser said."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={folder / 'home'}",
    ]
    command += [f"--log-net-log={log}", "--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=600, check=True)
    return done.stdout, done.stderr


def _asked(log: Path) -> set[str]:
    """Return the addresses in the browser's log of requests that pages made."""
    text = log.read_text(encoding="utf-8")
    urls = set(re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]*)"', text))
    return {url for url in urls if not re.search(r"//[^/]*\.(google|googleapis|gstatic|gvt1)\.com[:/]", url)}


def test_a_calibrated_scenarios_report_says_what_was_learnt_and_which_checks_failed():
    evidence = LearntFrom(1200, 31, "claude-code", "2026-02-16", 3, "<b>remark</b>")
    posterior = Posterior(np.array([[6.0, 0.5, 0.1]]))
    loaded = loads_scenario(small())
    name = next(row.name for row in loaded.provenance if row.name == "turn.output_tokens")
    written = next(row.text for row in loaded.provenance if row.name == name)
    quantity = CalibratedQuantity(name, written, "lognormal", posterior, evidence)
    checks = (Checked("calls", 1.0, ""), Checked("cost", 0.7, "simulated 30% less on average"))
    calibration = Calibration({name: quantity}, {"words": "track record: none"}, checks)
    calibrated = loads_scenario(small(), calibration=calibration)
    projection = project(calibrated.scenario, Options(replications=4, workers=1))
    subject = Subject(
        projection, calibrated.provenance, small(), "small.yaml", "simbudget report", calibration
    )
    page = report_page(subject)
    parsed(page)
    for said in (
        "1,200 values of 31 runs, 3 of them lower bounds",
        "1 of 2 quantities",
        "simulated 30% less",
    ):
        assert said in page
    assert "<b>remark</b>" not in page and "Track record: none." in page


def test_a_scenario_that_was_not_calibrated_has_no_section_of_it(report):
    assert 'id="calibration"' not in report[0]
