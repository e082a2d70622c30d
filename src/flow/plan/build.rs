use super::*;
pub(super) fn plan(_s: &Settings, _m: &BTreeMap<Name, Arc<Model>>) -> Result<Plan, Vec<String>> {
    Err(vec![])
}
