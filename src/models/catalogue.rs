//! The catalogue: finds models on disk, reads their passports and verifies their files.
