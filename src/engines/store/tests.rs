//! The store against engines that were cut short, swapped, made writable, linked, given away, or made of something else.

use std::os::unix::fs::symlink;

use super::*;
use crate::engines::tests::{fixture, wanted};

/// A store with the engine of the model `colour` in place.
fn stored() -> (tempfile::TempDir, Store, Ingredients) {
    let folder = tempfile::tempdir().unwrap();
    let engine = wanted(&fixture("colour"), folder.path());
    engine.store.prepare().unwrap();
    put(&engine.store, &engine.ingredients, "engine");
    (folder, engine.store, engine.ingredients)
}

/// Puts an engine with this text in place.
fn put(store: &Store, ingredients: &Ingredients, text: &str) {
    let passing = store.passing().unwrap();
    fs::write(passing.path().join("a_sm87.engine"), text).unwrap();
    fs::create_dir(passing.path().join("timing")).unwrap();
    fs::write(passing.path().join("timing/sm87.timing"), "times").unwrap();
    fs::set_permissions(passing.path().join("a_sm87.engine"), Permissions::from_mode(0o666)).unwrap();
    store.install(passing, ingredients).unwrap();
}

#[track_caller]
fn refused(store: &Store, ingredients: &Ingredients, why: &str) {
    match store.look(ingredients) {
        State::Refused(told) => assert!(told.contains(why), "{told}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_put_in_place_is_ready_closed_and_listed() {
    let (folder, store, ingredients) = stored();
    assert_eq!(store.look(&ingredients), State::Ready);
    let key = ingredients.key();
    let place = store.folder_of(&key);
    for (path, mode) in [(".", 0o700), (MANIFEST, 0o600), ("a_sm87.engine", 0o600), ("timing", 0o700)] {
        assert_eq!(place.join(path).metadata().unwrap().mode() & 0o777, mode, "{path}");
    }
    let listed = store.list().unwrap();
    assert_eq!((listed.len(), &listed[0].key, listed[0].bytes), (1, &key, 11));
    let manifest = listed[0].manifest.as_ref().unwrap();
    assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["a_sm87.engine", "timing/sm87.timing"]);
    assert_eq!(manifest.files["a_sm87.engine"].bytes, 6);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing but the engine stays");
    put(&store, &ingredients, "another");
    assert_eq!(store.look(&ingredients), State::Ready, "one takes the place of the other");
    assert_eq!((store.list().unwrap()[0].bytes, folder.path().read_dir().unwrap().count()), (12, 1));
}

#[test]
fn a_retrained_model_under_the_same_name_never_meets_the_old_engine() {
    let (folder, store, old) = stored();
    let mut model = fixture("colour");
    model.passport.file.sha256 = "1".repeat(64);
    let new = wanted(&model, folder.path());
    assert_eq!((new.state, &new.ingredients.file), (State::Missing, &old.file), "the same file name, no engine");
    assert_ne!(new.place.folder, store.folder_of(&old.key()));
    // Not even where somebody carries the old engine over under the new key.
    fs::rename(store.folder_of(&old.key()), &new.place.folder).unwrap();
    refused(&store, &new.ingredients, "what it lists has another key than its folder");
}

#[test]
fn an_engine_that_was_cut_short_or_swapped_is_refused() {
    let (_folder, store, ingredients) = stored();
    let path = store.folder_of(&ingredients.key()).join("a_sm87.engine");
    fs::write(&path, "engi").unwrap();
    refused(&store, &ingredients, "a_sm87.engine has 4 bytes, the manifest says 6");
    fs::write(&path, "enginE").unwrap();
    refused(&store, &ingredients, "a_sm87.engine: sha256 is ");
    fs::remove_file(&path).unwrap();
    refused(&store, &ingredients, "a_sm87.engine is missing");
    fs::write(&path, "engine").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(store.look(&ingredients), State::Ready);
    fs::write(path.with_file_name("b.engine"), "x").unwrap();
    fs::set_permissions(path.with_file_name("b.engine"), Permissions::from_mode(0o600)).unwrap();
    refused(&store, &ingredients, "b.engine is not in the manifest");
}

#[test]
fn an_engine_that_is_not_ours_alone_is_refused() {
    let (folder, store, ingredients) = stored();
    let place = store.folder_of(&ingredients.key());
    let engine = place.join("a_sm87.engine");
    let foreign = Store::owned_by(folder.path(), store.owner + 1);
    let (owner, other) = (store.owner, store.owner + 1);
    refused(&foreign, &ingredients, &format!("belongs to user {owner}, want {other}"));
    for (path, closed) in [(folder.path(), 0o700), (&place, 0o700), (&engine, 0o600), (&place.join(MANIFEST), 0o600)] {
        for open in [0o020, 0o002] {
            fs::set_permissions(path, Permissions::from_mode(closed | open)).unwrap();
            refused(&store, &ingredients, &format!("{} has mode", path.display()));
        }
        fs::set_permissions(path, Permissions::from_mode(closed)).unwrap();
    }
    assert_eq!(store.look(&ingredients), State::Ready);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&engine, &elsewhere).unwrap();
    symlink(&elsewhere, &engine).unwrap();
    refused(&store, &ingredients, "a_sm87.engine is a symbolic link, want a file");
    fs::remove_file(&engine).unwrap();
    fs::rename(&elsewhere, &engine).unwrap();
    fs::rename(&place, &elsewhere).unwrap();
    symlink(&elsewhere, &place).unwrap();
    refused(&store, &ingredients, "is a symbolic link, want a folder");
}

#[test]
fn one_file_of_another_user_is_enough() {
    let (_folder, store, ingredients) = stored();
    let engine = store.folder_of(&ingredients.key()).join("a_sm87.engine");
    // Only root can give files away; elsewhere the same is shown with a store of another owner.
    if std::os::unix::fs::chown(&engine, Some(store.owner + 1), None).is_ok() {
        refused(&store, &ingredients, &format!("a_sm87.engine belongs to user {}", store.owner + 1));
    }
}

#[test]
fn a_manifest_that_is_none_is_refused_with_its_path() {
    let (_folder, store, ingredients) = stored();
    let path = store.folder_of(&ingredients.key()).join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    let write = |text: &str| fs::write(&path, text).unwrap();
    write(&text.replace("engine/1", "engine/2"));
    refused(&store, &ingredients, "its schema is \"kenpin.engine/2\", want \"kenpin.engine/1\"");
    write(&text.replace("\"built\"", "\"made\""));
    refused(&store, &ingredients, "manifest.json: unknown field `made`");
    write(&text.replace("100300", "100400"));
    refused(&store, &ingredients, "what it lists has another key than its folder");
    write(&" ".repeat(usize::try_from(MAX_MANIFEST).unwrap() + 1));
    refused(&store, &ingredients, "at most 1048576 are read");
    fs::remove_file(&path).unwrap();
    refused(&store, &ingredients, "manifest.json: No such file");
}

#[test]
fn an_engine_is_put_in_place_whole_or_not_at_all() {
    let (folder, store, ingredients) = stored();
    let passing = store.passing().unwrap();
    fs::write(passing.path().join("notes.txt"), "no engine").unwrap();
    let why = store.install(passing, &ingredients).unwrap_err();
    assert!(why.contains("left no engine"), "{why}");
    assert_eq!(store.look(&ingredients), State::Ready, "the old one stays");
    let stale = store.passing().unwrap().keep();
    assert!(stale.exists());
    store.sweep();
    assert!(!stale.exists() && store.look(&ingredients) == State::Ready);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}

#[test]
fn what_somebody_wants_is_never_pruned() {
    let (folder, store, live) = stored();
    let mut model = fixture("colour");
    model.passport.file.sha256 = "1".repeat(64);
    let other = wanted(&model, folder.path()).ingredients;
    put(&store, &other, "older");
    fs::create_dir(folder.path().join("somebody-elses")).unwrap();
    let unwanted = store.unwanted(&[live.key()].into()).unwrap();
    assert_eq!(unwanted.iter().map(|engine| &engine.key).collect::<Vec<_>>(), [&other.key()]);
    store.remove(&unwanted[0].key).unwrap();
    assert_eq!((store.look(&live), store.look(&other)), (State::Ready, State::Missing));
    assert!(folder.path().join("somebody-elses").exists());
    assert!(store.unwanted(&[live.key()].into()).unwrap().is_empty());
}

#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/engines");
    Store::new(&folder).prepare().unwrap();
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    assert!(Store::new(&folder).prepare().unwrap_err().contains("has mode 777"));
    fs::write(parent.path().join("file"), "").unwrap();
    let why = Store::new(&parent.path().join("file")).prepare().unwrap_err();
    assert!(why.contains("cannot be made"), "{why}");
    assert_eq!(Store::new(&parent.path().join("nowhere")).list(), Ok(Vec::new()));
}
