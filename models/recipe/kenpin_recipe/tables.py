"""The report as Markdown, from `report.json` alone."""


def of_report(report: dict) -> str:
    """Headings and tables: members over the folds and on the test list, students, ways of teaching, schedules."""
    return (
        "\n\n".join(
            [
                "# Figures of the ELPV models",
                "Written by `models/recipe` from `report.json`; do not edit by hand. Members called sensor read **simulated** text.",
                "## Five folds",
                "Every cell is judged once, by a model that has not seen it. Mean and standard deviation over the folds; "
                "escapes are the defective cells that pass where at most 5 % of the good ones are rejected. Choices were tried "
                "on the training list, which four of the folds are made of, so the test list below is the cleaner judge.",
                _members(report["cross_validation"]),
                "## The test list",
                f"The last fold: the models in this folder on the {report['folds'][-1]['n']} test cells.",
                _test(report["split"]),
                "## Students",
                "AUC over the runs (folds, each with its own teacher), and on all cells at once, with the difference to the "
                "teacher on the same cells (DeLong).",
                _students(report["students"]),
                "![cost and worth](front.svg)",
                "## Ways of teaching",
                "The same student taught otherwise, all else equal; the difference to labels alone on the same cells (DeLong).",
                _teaching(report["teaching"]),
                "## Schedules of the learning rate",
                "The smallest student on the validation list.",
                _table(
                    ["schedule", "AUC", "runs"],
                    [[r["schedule"], _spread(r["auc"]), r["auc"]["runs"]] for r in report["schedules"]],
                ),
            ]
        )
        + "\n"
    )


def _members(rows: dict) -> str:
    head = ["member", "accuracy", "balanced accuracy", "AUC", "escapes", "AUC, all cells"]
    keys = ("accuracy", "balanced_accuracy", "auc", "escapes")
    return _table(
        head,
        [
            [_named(name, row), *(_spread(row[key]) for key in keys), _interval(row["pooled"])]
            for name, row in rows.items()
        ],
    )


def _test(rows: dict) -> str:
    head = ["member", "accuracy", "balanced accuracy", "AUC", "escapes"]
    return _table(
        head,
        [
            [
                _named(name, r),
                f"{r['accuracy']:.4f}",
                f"{r['balanced_accuracy']:.4f}",
                _interval(r),
                f"{r['escapes']:.4f}",
            ]
            for name, r in rows.items()
        ],
    )


def _students(rows: list[dict]) -> str:
    head = [
        "student",
        "million multiply-adds",
        "share of the teacher's",
        "kB",
        "AUC",
        "AUC, all cells",
        "less teacher",
        "less parent",
    ]
    return _table(
        head,
        [
            [
                row["name"],
                f"{row['macs'] / 1e6:.1f}",
                f"1/{row['teacher_macs'] / row['macs']:.1f}",
                f"{row['bytes'] / 1e3:.0f}",
                _spread(row["auc"]),
                _interval(row["pooled"]),
                _difference(row["against_teacher"]),
                _difference(row["against_parent"]) if "against_parent" in row else "",
            ]
            for row in rows
        ],
    )


def _teaching(rows: list[dict]) -> str:
    return _table(
        ["student", "learns from", "AUC", "AUC, all cells", "less labels alone"],
        [
            [
                row["student"],
                row["method"],
                _spread(row["auc"]),
                _interval(row["pooled"]),
                _difference(row["against_labels"]) if "against_labels" in row else "",
            ]
            for row in rows
        ],
    )


def _table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _spread(figure: dict) -> str:
    return f"{figure['mean']:.4f}" + (f" ± {figure['sd']:.4f}" if figure["sd"] is not None else "")


def _named(name: str, row: dict) -> str:
    return f"{name} (simulated)" if row["simulated"] else name


def _interval(row: dict) -> str:
    low, high = row["auc_interval"]
    return f"{row['auc']:.4f} ({low:.4f} to {high:.4f})"


def _difference(row: dict) -> str:
    return f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}), p = {row['p']:.2g}"
