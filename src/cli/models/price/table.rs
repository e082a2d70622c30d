//! The tables of a pricing: costs, worth, and the students against their teacher.

use comfy_table::{CellAlignment, Table};

use crate::models::price::{Comparison, Cost, Estimate, Price, Worth};

/// All tables that have a row.
pub(super) fn text(prices: &[Price]) -> String {
    let (mut costs, mut worths, mut against) = (costs(), worths(prices), against());
    for price in prices {
        let name = price.model.name.to_string();
        costs.add_row(cost(price));
        if let Some(worth) = &price.worth {
            worths.add_row(worth_row(&name, worth));
            if let Some(comparison) = &worth.against_teacher {
                against.add_row(comparison_row(&name, comparison));
            }
        }
    }
    let tables = [costs, worths, against].into_iter().filter(|table| !table.is_empty());
    tables.map(right_aligned).collect::<Vec<_>>().join("\n\n")
}

fn costs() -> Table {
    let header = ["cost", "tier", "run ms p50", "p99", "prepare ms p50", "CPU ms", "memory MB", "file kB", "mJ"];
    super::super::table(&header)
}

fn worths(prices: &[Price]) -> Table {
    let rate = prices.iter().find_map(|price| Some(price.worth.as_ref()?.false_reject_rate)).unwrap_or_default();
    // Rounded, for a hundred times 0.07 is a little above 7.
    let escapes = format!("escapes at {} % false rejects", (rate * 1e6).round() / 1e4);
    super::super::table(&["worth (95 % interval)", "accuracy", "balanced", "ROC AUC", &escapes])
}

fn against() -> Table {
    let header = ["against the teacher", "agreement", "accuracy", "McNemar p", "ROC AUC", "DeLong p"];
    super::super::table(&header)
}

fn right_aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn cost(price: &Price) -> Vec<String> {
    let Cost { run_ms_p50, run_ms_p99, prepare_ms_p50, cpu_ms, memory_mb, energy, .. } = &price.cost;
    let known = |number: Option<f64>, digits: usize| {
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
    };
    vec![
        price.model.name.to_string(),
        super::super::word(&price.model.tier),
        known(Some(*run_ms_p50), 3),
        known(Some(*run_ms_p99), 3),
        known(*prepare_ms_p50, 3),
        known(Some(*cpu_ms), 3),
        known(*memory_mb, 1),
        price.model.bytes.div_ceil(1000).to_string(),
        known(energy.as_ref().map(|energy| energy.picture_mj), 2),
    ]
}

fn worth_row(name: &str, worth: &Worth) -> Vec<String> {
    let Worth { accuracy, balanced_accuracy, auc, escapes, .. } = worth;
    vec![name.to_owned(), share(accuracy), share(balanced_accuracy), share(auc), share(escapes)]
}

fn comparison_row(name: &str, comparison: &Comparison) -> Vec<String> {
    let Comparison { teacher, agreement, accuracy_difference, auc_difference, mcnemar, delong, .. } = comparison;
    let p = |p: f64| if p < 1e-4 { "< 0.0001".to_owned() } else { format!("{p:.4}") };
    vec![
        format!("{name} - {teacher}"),
        share(agreement),
        difference(accuracy_difference),
        p(mcnemar.p),
        difference(auc_difference),
        delong.map_or_else(|| "-".to_owned(), |delong| p(delong.p)),
    ]
}

fn share(Estimate { value, low, high }: &Estimate) -> String {
    format!("{value:.4} ({low:.4} to {high:.4})")
}

fn difference(Estimate { value, low, high }: &Estimate) -> String {
    format!("{value:+.4} ({low:+.4} to {high:+.4})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::price::tests::price;

    #[test]
    fn what_is_not_known_is_a_dash_and_what_has_no_row_no_table() {
        let full = price("student", 0.5, 0.9);
        let told = text(std::slice::from_ref(&full));
        for wanted in
            ["0.9000 (0.8800 to 0.9200)", "student - teacher", "-0.0200 (-0.0400 to +0.0000)", "0.7266", "4.00"]
        {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
        let mut bare = full;
        (bare.worth, bare.cost.energy) = (None, None);
        let told = text(&[bare]);
        assert!(!told.contains("worth") && !told.contains("against"), "{told}");
        assert!(told.lines().any(|line| line.trim_end().ends_with('-') && line.contains("student")), "{told}");
    }
}
