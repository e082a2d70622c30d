//! What `kenpin fit` prints of a fit of boxes: what members and ensemble are worth, label by label, and how the boxes become one.

use comfy_table::{CellAlignment, Table, presets};

use crate::fusion::boxes::{Agreement, BoxFusion};
use crate::models::fit::boxes::{BoxControl, BoxEvidence, BoxRanked, FittedBoxes};
use crate::models::price::Estimate;

/// Mean average precision of each member and of the ensemble.
pub(in crate::cli::fit) fn table(FittedBoxes { evidence, .. }: &FittedBoxes) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let BoxEvidence { pictures, with_boxes, boxes, members, alone, fused, .. } = evidence;
    let pictures = format!("{pictures} pictures, {with_boxes} with {boxes} boxes");
    table.set_header([&pictures, "mAP50 (95 % interval)", "mAP50-95 (95 % interval)"]);
    let shown = |Estimate { value, low, high }: Estimate| format!("{value:.4} ({low:.4} to {high:.4})");
    let plain = members.iter().map(|of| (of.name.clone(), of));
    let alone = alone.iter().map(|of| (format!("{}, its own boxes joined", of.name), of));
    for (name, BoxRanked { map50, map50_95, .. }) in plain.chain(alone).chain([(fused.name.clone(), fused)]) {
        table.add_row([name, shown(*map50), shown(*map50_95)]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The control, the labels and the method.
pub(in crate::cli::fit) fn lines(FittedBoxes { fusion, without_file, evidence }: &FittedBoxes) -> Vec<String> {
    let mut lines = Vec::new();
    if *without_file > 0 {
        lines.push(format!("{without_file} pictures have no file of labels and are taken to have no box"));
    }
    if let Some(BoxControl { name, beaten, significant, difference: Estimate { value, low, high }, p }) =
        &evidence.control
    {
        let how = match (beaten, significant) {
            (_, true) => "beaten",
            (true, false) => "not beaten: the difference could be chance",
            (false, _) => "not beaten",
        };
        lines.push(format!(
            "control: {name}, the best member, is {how} ({value:+.4} mAP50-95, {low:+.4} to {high:+.4}, paired bootstrap p {p:.4})"
        ));
    }
    lines.extend(evidence.labels.iter().map(|of| {
        format!("  {}: {} boxes, fused AP50 {:.4}, AP50-95 {:.4}", of.label, of.boxes, of.map50, of.map50_95)
    }));
    lines.push(format!("boxes become one by {}", told(*fusion)));
    lines
}

/// A method with its numbers, as the config names them.
fn told(fusion: BoxFusion) -> String {
    match fusion {
        BoxFusion::Nms { iou_above, skip_below } => format!("nms, iou_above {iou_above}, skip_below {skip_below}"),
        BoxFusion::SoftNmsLinear { iou_above, skip_below } => {
            format!("soft-nms-linear, iou_above {iou_above}, skip_below {skip_below}")
        }
        BoxFusion::SoftNmsGaussian { sigma, skip_below } => {
            format!("soft-nms-gaussian, sigma {sigma}, skip_below {skip_below}")
        }
        BoxFusion::WeightedBoxes { iou_above, skip_below, confidence } => {
            let confidence = match confidence {
                Agreement::Average => "average",
                Agreement::BoxAndModelAverage => "box-and-model-average",
            };
            format!("weighted-boxes, iou_above {iou_above}, skip_below {skip_below}, confidence {confidence}")
        }
    }
}
