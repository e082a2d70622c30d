//! What the miniature boards promise.

use super::*;

fn bytes(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                found.insert(path.clone(), fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_board_that_is_written_again_is_the_same() {
    let root = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let mut fake = Fake::create(root.path(), kind).unwrap();
        let first = bytes(root.path());
        assert!(first.len() > 15 && first.keys().all(|path| !path.ends_with(".kenpin-new")), "{first:?}");
        let hot = Heat { celsius: 100.0, throttled: true, ..Heat::default() };
        fake.set(&hot).unwrap();
        assert_ne!(bytes(root.path()), first);
        let files = fake.files();
        fake.spoil(&files[0], Fault::Folder).unwrap();
        fake.spoil(&files[1], Fault::Bytes(vec![0])).unwrap();
        fake.mend(&Heat::default()).unwrap();
        assert_eq!(bytes(root.path()), first, "{}", kind.name());
        fake.renumber(&hot).unwrap();
        assert_ne!(bytes(root.path()).keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>());
        Fake::create(root.path(), kind).unwrap();
        assert_eq!(bytes(root.path()), first, "over one of another boot");
    }
}

#[test]
fn a_folder_with_other_files_is_not_touched() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("sys");
    fs::write(&file, "mine").unwrap();
    let error = Fake::create(root.path(), Kind::Nano).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(bytes(root.path()), BTreeMap::from([(file, b"mine".to_vec())]));
    assert!(!is_one(root.path()));
}

#[test]
fn spoilt_files_stay_so_until_they_are_mended() {
    let root = tempfile::tempdir().unwrap();
    let mut fake = Fake::create(root.path(), Kind::OrinNano).unwrap();
    let path = "sys/class/thermal/thermal_zone0/temp";
    assert!(fake.temperatures().iter().any(|file| file == path));
    assert_eq!(fake.temperatures().len(), 6, "the three of CV are off");
    fake.spoil(path, Fault::Bytes(b"-256000\n".to_vec())).unwrap();
    fake.set(&Heat { celsius: 60.0, ..Heat::default() }).unwrap();
    let told = || fs::read_to_string(root.path().join(path)).unwrap();
    assert_eq!(told(), "-256000\n");
    fake.mend(&Heat { celsius: 61.5, ..Heat::default() }).unwrap();
    assert_eq!(told(), "61500\n");
    assert_eq!(fake.spoil("sys/none", Fault::Missing).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn figures_that_no_board_has_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let fake = Fake::create(root.path(), Kind::OrinNano).unwrap();
    let before = bytes(root.path());
    for (heat, why) in [
        (Heat { celsius: f64::NAN, ..Heat::default() }, "celsius is NaN, want a finite number"),
        (Heat { power_mw: f64::INFINITY, ..Heat::default() }, "power_mw is inf, want a finite number"),
        (Heat { gpu_load: 1.01, ..Heat::default() }, "gpu_load is 1.01, want 0 to 1"),
        (Heat { fan: -0.1, ..Heat::default() }, "fan is -0.1, want 0 to 1"),
    ] {
        let error = fake.set(&heat).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidInput, why));
    }
    assert_eq!(bytes(root.path()), before);
}

#[test]
fn kinds_have_names() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
    }
    assert_eq!(Kind::named("orin"), None);
}

#[test]
fn the_kernel_slows_the_board_above_its_trip_and_lets_go_below() {
    let trips = Kind::ALL.map(|kind| Kernel::new(kind).trip_celsius());
    assert_eq!(trips, [99.0, 99.0, 97.0, 97.0, 109.0, 95.0].map(Some));
    let mut kernel = Kernel::new(Kind::OrinNano);
    let mut look = |celsius: f64, seconds: f64| {
        let heat = kernel.heat(celsius, seconds);
        (heat.throttled, heat.caps)
    };
    assert_eq!(look(98.9, 0.0), (false, vec![0, 0, 0]), "it looks at once");
    assert_eq!(look(99.0, 0.5), (false, vec![0, 0, 0]), "it looks once a second");
    assert_eq!(look(99.0, 0.5), (true, vec![1, 1, 1]));
    assert_eq!(look(105.0, 10.0), (true, vec![11, 11, 6]), "the GPU has six steps");
    assert_eq!(look(98.9, 2.0), (false, vec![9, 9, 4]));
    assert_eq!(look(50.0, f64::MAX), (false, vec![0, 0, 0]));
}
