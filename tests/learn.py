#!/usr/bin/env python3
"""What `kenpin fit` learns from the ELPV cells, by nested cross-validation, and whether its bounds on escapes hold.

    learn.py [--kenpin PROGRAM] [--splits 500]    after `make demo`, which builds the program and fetches the pictures

Every score is out of fold (models/elpv/out_of_fold.csv): no member was trained on the cell it speaks of. The two specialists
count as one member, routed by the gate. Prints a table and leaves target/learn/report.json. Exit code 1 when a figure is none.
Standard library only.
"""
import csv
import json
import math
import shutil
import sys

from halves import cells, options, root, run

BOUNDS, CONFIDENCE = (0.01, 0.02, 0.05), 0.95
# The specialist for mono cells stands for both: the scores that are read for it are those of whom the gate chose.
MEMBERS = {"elpv-teacher": "teacher", "elpv-mono": "specialists by the gate", "elpv-student-large": "large student",
           "elpv-student": "student", "elpv-student-small": "small student"}  # fmt: skip

parser = options("Learns from the ELPV cells, and rehearses bounds on escapes.")
parser.add_argument("--splits", type=int, default=500, help="random splits for each bound; 500 where not told")
arguments = parser.parse_args()
kenpin = arguments.kenpin
out = root / "target/learn"
shutil.rmtree(out, ignore_errors=True)
out.mkdir(parents=True)

models = "".join(f'[models.{name}]\nfolder = "{root / "models" / name}"\n' for name in MEMBERS)
members = ", ".join(f'{{ model = "{name}" }}' for name in MEMBERS)
config = out / "kenpin.toml"
config.write_text(f"""\
[device]
id = "learn"
[line]
recipe = "elpv-cells"
[cameras.cell]
kind = "replay"
path = "cells.csv"
{models}[[routes]]
name = "cells"
members = [{members}]
[journal]
path = "state/journal.sqlite"
""")
with (root / "models/elpv/out_of_fold.csv").open() as file:
    scored = sorted({row["part"] for row in csv.DictReader(file)})
cells(out / "cells.csv", scored)

fit = [kenpin, "fit", config, out / "cells.csv", "--scores", root / "models/elpv/out_of_fold.csv", "--state", out / "state"]
evidence = run(*fit, "--dry-run", "--plot", out / "evidence.svg")["fit"]
method, evidence = evidence["method"], evidence["evidence"]
named = lambda ranked: {"name": MEMBERS.get(ranked["name"], ranked["name"]), "auc": ranked["auc"]["value"],
                        "auc_low": ranked["auc"]["low"], "auc_high": ranked["auc"]["high"],
                        "average_precision": ranked["average_precision"], "log_loss": ranked["log_loss"]}  # fmt: skip
control = evidence["control"]
escape = []
for bound in BOUNDS:
    told = run(*fit, "--rehearse", arguments.splits, "--escape-bound", bound, "--confidence", CONFIDENCE)
    mean, low, high = told.pop("undecided_share")
    tested, seen = told.pop("defective")
    escape.append({**told, "undecided_share": mean, "undecided_5": low, "undecided_95": high,
                   "defective_tested": tested, "defective_seen": seen})  # fmt: skip

report = {
    "parts": evidence["parts"],
    "defective": evidence["defective"],
    "members": [named(ranked) for ranked in evidence["members"]],
    "methods": [named(ranked) for ranked in evidence["methods"]],
    "fused": {"method": method, **{key: value for key, value in named(evidence["fused"]).items() if key != "name"}},
    "control": {"name": MEMBERS[control["name"]], "auc": control["auc"]["value"], "beaten": control["beaten"],
                "significant": control["significant"], "delong": control["delong"]},
    "escape": escape,
}  # fmt: skip
(out / "report.json").write_text(json.dumps(report, indent=1) + "\n")

print(f"{report['parts']} cells, {report['defective']} defective, every score out of fold")
for ranked in [*report["members"], *report["methods"], {"name": f"fused ({method})", **report["fused"]}]:
    print(f"  {ranked['name']:<24} AUC {ranked['auc']:.4f} ({ranked['auc_low']:.4f} to {ranked['auc_high']:.4f}), "
          f"log loss {ranked['log_loss']:.4f}")  # fmt: skip
test = control["delong"] or {"difference": math.nan, "p": math.nan}
verdict = "beaten" if control["significant"] else "not beaten beyond chance" if control["beaten"] else "not beaten"
print(f"control: {report['control']['name']}, {verdict} ({test['difference']:+.4f}, DeLong p {test['p']:.4f})")
for told in escape:
    print(f"escapes at most {100 * told['bound']:g} % with {100 * CONFIDENCE:g} %: exceeded in {100 * told['exceeded_share']:.1f} % of "
          f"{told['splits']} splits on {told['defective_seen']} defective cells (just the bound: "
          f"{100 * told['exceeded_at_bound']:.1f} %), {100 * told['escape_share']:.2f} % escaped, "
          f"{100 * told['undecided_share']:.1f} % undecided, {told['infeasible']} splits without a promise")  # fmt: skip
figures = [value for ranked in report["members"] + report["methods"] for value in ranked.values() if isinstance(value, float)]
sys.exit(0 if all(map(math.isfinite, figures)) and all(told["splits"] == arguments.splits for told in escape) else 1)
