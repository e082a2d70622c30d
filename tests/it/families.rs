//! Families: models of every form in use, from a passport alone, number by number against their references in Python.

mod tasks;
