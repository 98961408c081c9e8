"""The report: what it tells, that it stands alone, and that nothing from the wire acts in it."""

import html
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys

import axe_core_python
import pytest
from helpers import SERVER

from sensor import __version__
from sensor.outputs.report.contents import Report
from sensor.outputs.report.page import page
from sensor.simulate.feature_base import answer
from sensor.simulate.wire import Conversation, write_pcap

TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START = 1_772_528_400_000_000_000
HOSTILE = [
    "/<script>alert(1)</script>/x", "/</script><script>alert(2)</script>", "/'\"><img/src=x/onerror=alert(3)>", "/{{7*7}}{%if%}",
    "/a%00b\x1b[31m", "/=cmd|'/c'!A1", "/%s%n%x", "/\u202egnp.exe", "/]]>&lt;&#60;script&#62;",
]  # fmt: skip


def tapwatch(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *arguments], capture_output=True, text=True, timeout=600, check=False)


class Page(html.parser.HTMLParser):
    """Elements of a page, their attributes, and the text of its scripts."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def bundled(bundled_store, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = tapwatch("report", "-o", str(path), "--store", bundled_store)
    assert done.returncode == 0, done.stderr
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> str:
    """The report of a capture whose every field is an attack on whoever shows it."""
    folder = tmp_path_factory.mktemp("hostile")
    made = Conversation(("192.0.2.10", 20_000), SERVER, START)
    made.handshake()
    for target in HOSTILE:
        value = target.encode("utf-8").replace(b" ", b"")
        lines = b"Host: <script>alert(4)</script>\r\nUser-Agent: " + value + b"\r\nReferer: " + value
        made.exchange(b"GET " + value + b"?<svg/onload=alert(5)>=1 HTTP/1.1\r\n" + lines + b"\r\n\r\n", answer(b"{}"))
    made.close()
    write_pcap(folder / "hostile.pcap", made.frames)
    store = f"chdb://{folder}/store"
    assert tapwatch("replay", "--store", store, str(folder / "hostile.pcap")).returncode == 0
    done = tapwatch("report", "-o", "-", "--store", store)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_tells_incidents_endpoints_and_findings(bundled):
    assert "a211cf05bfd6f518" in bundled and "adbb89ad152ed474" in bundled and "Next expected: 10750" in bundled
    assert "/v1/products/{int}" in bundled and "cookie without secure" in bundled
    data = json.loads(next(text for text in Page(bundled).scripts if text.startswith("[")))
    assert len(data) == len({tuple(row[1:4]) for row in data}) > 20
    assert [row[0] for row in data] == sorted((row[0] for row in data), reverse=True)
    assert bundled.count("<svg") == 6  # values, two of outcomes, traffic, latency
    assert "expected next" in bundled
    acts = bundled[bundled.index('id="actors"') : bundled.index('id="blind"')]
    assert "ip:198.51.100.77" in acts and "ip:192.0.2.145" in acts and "2 bad automation" in acts and "are refused" in acts


def test_it_stands_alone_and_is_small(bundled):
    found = Page(bundled)
    for tag, attributes in found.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "img"), tag
        assert not [name for name in attributes if name.startswith("on")], attributes
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith("#"), attributes
    assert "url(" not in bundled and "@import" not in bundled
    assert len(found.scripts) == 2 and len(bundled) < 3_000_000
    (policy,) = [a["content"] for tag, a in found.elements if tag == "meta" and a.get("http-equiv")]
    assert "default-src 'none'" in policy and "'sha256-" in policy and "unsafe-inline" not in policy.split("script-src")[1]


def test_it_can_be_used_without_seeing_it(bundled):
    found = Page(bundled).elements
    assert ("html", {"lang": "en"}) in found
    assert all("aria-label" in attributes for tag, attributes in found if tag == "figure")
    labels = {attributes.get("for") for tag, attributes in found if tag == "label"}
    assert all(attributes["id"] in labels for tag, attributes in found if tag in ("input", "select"))
    told = [attributes["aria-label"] for tag, attributes in found if tag == "figure"]
    assert len(told) == len(set(told)) and "Values asked for over time: from 10150 to 10749, 10750 expected next." in told
    assert "Share of its transactions that was served over time: 1.5 % in all." in told
    assert next(tag for tag, _ in found if re.fullmatch("h[1-3]", tag)) == "h1"
    identifiers = [attributes["id"] for _, attributes in found if attributes.get("id", "").startswith(("alert-", "endpoint"))]
    assert len(identifiers) == len(set(identifiers))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_and_plots_have_contrast(bundled):
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what is drawn; light, dark and on paper."""
    for block in re.findall(r":root \{([^}]*--ink[^}]*)\}", bundled):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
        paper = luminance(colours["paper"])
        for name, colour in colours.items():
            least = {"paper": 0, "soft": 0, "faint": 0}.get(name, 3 if name.startswith("plot") else 4.5)
            dark, light = sorted((paper, luminance(colour)))
            assert (light + 0.05) / (dark + 0.05) >= least, (name, colour)


def test_nothing_from_the_wire_acts(hostile, bundled):
    """The same elements as in any report, and no other script."""
    found, plain = Page(hostile), Page(bundled)
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in plain.elements}
    assert len(found.scripts) == 2 and found.scripts[1] == plain.scripts[1]
    assert not [a for _, attributes in found.elements for a in attributes if a.startswith("on")]
    assert all(c.isprintable() or c in "\n\t" for c in hostile)
    json.loads(found.scripts[0])


def test_a_store_without_transactions_is_told_in_one_sentence(tmp_path):
    store = f"chdb://{tmp_path}/store"
    tapwatch("schema", "apply", "--store", store)
    done = tapwatch("report", "-o", "-", "--store", store)
    assert done.returncode == 1 and done.stderr.startswith("tapwatch: There is no transaction") and done.stdout == ""


def test_only_one_host_or_time(bundled_store):
    text = tapwatch("report", "-o", "-", "--host", "upstream.shop.test", "--store", bundled_store).stdout
    assert "a211cf05bfd6f518" not in text and "upstream.shop.test:443" in text
    assert (
        "a211cf05bfd6f518"
        not in tapwatch("report", "-o", "-", "--until", "2026-03-03T09:10:00Z", "--store", bundled_store).stdout
    )


def browse(text: str, folder: pathlib.Path, extra: str = "", *more: str) -> tuple[str, str]:
    """(the page after its scripts, what the browser complained of). extra: a script that runs behind the page's own."""
    if extra:
        text = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", f"<script>{extra}</script></body>")
    path = folder / "page.html"
    path.write_text(text, "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={folder}/profile"]
    done = subprocess.run(
        [BROWSER, *options, *more, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


needs_browser = pytest.mark.skipif(not BROWSER, reason="needs chromium")


@needs_browser
def test_the_script_runs_without_an_error_in_a_browser(bundled, hostile, tmp_path):
    for text in (bundled, hostile):
        dom, complaints = browse(text, tmp_path)
        assert complaints == ""
        assert re.search(r'id="endpoint-count"[^>]*>\d+ of \d+ endpoints<', dom)
        assert "<script>alert" not in dom.split("endpoint-data")[0].replace("&lt;", "")


@needs_browser
def test_the_filter_and_the_order_work(bundled, tmp_path):
    script = """
      const f = document.getElementById("endpoint-filter"); f.value = "LOGIN post"; f.dispatchEvent(new Event("input"));
      const left = [...document.querySelectorAll("#endpoint-rows tr")].map((r) => r.cells[3].textContent);
      f.value = ""; f.dispatchEvent(new Event("input"));
      document.querySelectorAll("#endpoints-table th button")[4].click();
      const most = document.querySelector("#endpoint-rows tr").cells[3].textContent;
      const r = document.getElementById("risk-filter"); r.value = "4"; r.dispatchEvent(new Event("change"));
      const risks = [...document.querySelectorAll("#endpoint-rows tr")].map((one) => Number(one.cells[0].textContent));
      dispatchEvent(new Event("beforeprint"));
      const closed = document.querySelectorAll("details:not([open])").length;
      dispatchEvent(new Event("afterprint"));
      const folded = document.querySelectorAll("details:not([open])").length;
      document.title = JSON.stringify([left, most, risks.length > 0 && Math.min(...risks) >= 4, closed, folded > 0]);
    """
    dom, complaints = browse(bundled, tmp_path, script)
    title = re.search("<title>(.*?)</title>", dom)[1].replace("&quot;", '"')
    assert complaints == "" and json.loads(title) == [["/v1/login"], "/v1/products/{int}", True, 0, True]


MANY = {
    "risk": 1.0, "method": "GET", "transactions": 5, "clients": 2, "status_4xx": 0, "status_5xx": 1, "auth": ["none"],
    "sensitive_in_responses": [], "sensitive_in_requests": [], "sensitive_in_urls": [], "findings": [], "alerts": 0,
}  # fmt: skip
"""One of many endpoints, without its place."""


def page_of(endpoints: list[dict]) -> str:
    """A report of endpoints and nothing else."""
    return page(Report("a", "b", 50_000, 100, 10, endpoints, [], [], [], [], {}, {}, [], [], [], ["tap"]), __version__)


@needs_browser
def test_ten_thousand_endpoints_stay_fluid(tmp_path):
    """The script draws a hundred rows of them, whatever is typed: counted in elements, not in seconds."""
    endpoints = [MANY | {"host": f"h{k % 100}.example", "endpoint": f"/v1/things{k}/{{int}}"} for k in range(10_000)]
    text = page_of(endpoints)
    assert len(text) < 3_000_000
    dom, complaints = browse(text, tmp_path)
    assert complaints == "" and "100 of 10000 endpoints" in dom and dom.count("<tr") < 110


def test_a_report_of_very_many_endpoints_says_which_it_holds():
    endpoints = [MANY | {"host": f"h{k % 100}.example", "endpoint": f"/v1/things{k}<&>/{'x' * 200}"} for k in range(30_000)]
    text = page_of(endpoints)
    held = json.loads(re.search('id="endpoint-data">(.*?)</script>', text)[1])
    assert len(text.encode()) < 3_000_000 and 5_000 < len(held) < 30_000
    assert f"The {len(held):,}".replace(",", "\u202f") + " with the highest risk of 30\u202f000 are here." in text


@needs_browser
@pytest.mark.parametrize("which", ["bundled", "hostile"])
def test_axe_finds_nothing_that_keeps_anybody_out(which, tmp_path, request):
    """axe-core's rules of WCAG 2.1 A and AA and its best practices, with the page in light and in dark."""
    engine = pathlib.Path(axe_core_python.__file__).with_name("axe.min.js").read_text("utf-8").replace("</script", "<\\/script")
    script = (
        engine
        + """;
      axe.run(document, {resultTypes: ["violations"]}).then((found) => {
        document.title = JSON.stringify([found.passes.length, found.violations.map((one) => [one.id, one.impact, one.nodes[0].html])]);
      });
    """
    )
    for scheme in ("light", "dark"):
        text = request.getfixturevalue(which).replace(
            "prefers-color-scheme: dark", f"{'min' if scheme == 'dark' else 'max'}-width: 1px"
        )
        dom, complaints = browse(text, tmp_path, script, "--virtual-time-budget=20000")
        passed, violations = json.loads(html.unescape(re.search("<title>(.*?)</title>", dom)[1]))
        assert passed > 20 and violations == [] and complaints == ""


def test_plots_are_small(bundled):
    """A plot of 300 values, and one of 60 stretches of time, are a few kilobytes each: 120 of them fit into a report."""
    plots = re.findall("<svg.*?</svg>", bundled, re.S)
    assert max(map(len, plots)) < 30_000 and "<desc" not in bundled
