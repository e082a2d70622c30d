"""Draws the bench's report as bars: CPU a part of floors, Kenpin and the plain script, and parts a second of two models.

    plot.py REPORT SVG    such as target/bench/report.json tests/bench/report.svg

Packages: none.
"""

import json
import sys
from html import escape
from pathlib import Path

WIDTH, LABEL, NOTE, ROW, BAR = 900, 250, 290, 16, 11
COLOURS = {"bare": "#7a8b99", "decode": "#b3bec7", "resize": "#d9dfe4", "kenpin": "#1b6ca8", "plain": "#d08770"}


class Sheet:
    """Bars from the top down, each row with its label."""

    def __init__(self):
        self.y, self.parts = 8, []

    def text(self, x, text, size=12, anchor="start", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{self.y + 10}" font-size="{size}" text-anchor="{anchor}" '
                          f'font-weight="{weight}">{escape(text)}</text>')

    def title(self, text):
        self.y += 10
        self.text(8, text, 14, weight="bold")
        self.y += 24

    def row(self, label, pieces, scale, note):
        self.text(LABEL - 8, label, anchor="end")
        x = LABEL
        for value, colour in pieces:
            self.parts.append(f'<rect x="{x:.1f}" y="{self.y}" width="{value * scale:.1f}" height="{BAR}" fill="{colour}"/>')
            x += value * scale
        self.text(x + 5, note, 11)
        self.y += ROW

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y + 8}" font-family="sans-serif">'
                f'<rect width="100%" height="100%" fill="#fff"/>{"".join(self.parts)}</svg>\n')


def main():
    report = json.loads(Path(sys.argv[1]).read_text())
    plain = {rival["case"]: rival for rival in report["rivals"]}
    sheet = Sheet()
    sheet.title(f"CPU milliseconds a part, {report['machine']['processor']}, {report['machine']['when'][:10]}")
    sheet.text(8, "floors: bare model (dark), decode, resize (light); Kenpin end to end (blue); plain Python (red)", 11)
    sheet.y += 22
    for case in report["cases"]:
        rival = plain.get(case["name"])
        longest = max(case["kenpin_ms"], rival["cpu_ms"] if rival else 0)
        scale = (WIDTH - LABEL - NOTE) / longest
        floors = [(case[f"{name}_ms"], COLOURS[name]) for name in ("bare", "decode", "resize")]
        total = sum(value for value, _ in floors)
        sheet.row(case["name"], floors, scale, f"{total:.2f} ms")
        ratio = f"{case['kenpin_ms']:.2f} ms, ratio {case['ratio']:.3f} (from {case['ratio_low']:.3f})"
        sheet.row("Kenpin", [(case["kenpin_ms"], COLOURS["kenpin"])], scale, f"{ratio}, {case['peak_mb']:.0f} MB")
        if rival:
            note = f"{rival['cpu_ms']:.2f} ms, ratio {rival['ratio']:.2f}, {rival['peak_mb']:.0f} MB"
            sheet.row("plain Python", [(rival["cpu_ms"], COLOURS["plain"])], scale, note)
        sheet.y += 8
    sheet.title("two models for every part on two cores, parts a second")
    for case in report["throughput"]:
        names = [("ONNX Runtime's defaults, one by one", "bare"), ("Kenpin", "kenpin"), ("plain Python", "plain")]
        scale = (WIDTH - LABEL - NOTE) / max(case[f"{key}_parts_per_s"] for _, key in names)
        sheet.text(8, case["name"])
        sheet.y += ROW
        for name, key in names:
            value = case[f"{key}_parts_per_s"]
            sheet.row(name, [(value, COLOURS[key])], scale, f"{value:.1f}")
        sheet.y += 8
    Path(sys.argv[2]).write_text(sheet.svg())


if __name__ == "__main__":
    main()
