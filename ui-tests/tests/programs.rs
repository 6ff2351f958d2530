//! Goal: a right program compiles and runs. Method: each file in `src/bin` is one, built with everything else.

use std::process::Command;

macro_rules! programs {
    ($($name:ident),+ $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        $(
            #[test]
            fn $name() {
                let program = env!(concat!("CARGO_BIN_EXE_", stringify!($name)));
                let output = Command::new(program).output().unwrap();
                assert!(output.status.success(), "{output:?}");
            }
        )+
    };
}

programs! {
    durable_of_two_streams,
    every_attribute,
    every_error_type,
    every_published_shape,
    everything,
    extractors_of_ones_own,
    in_a_function,
    inside_macro_rules,
    modules_and_cfg,
    no_implicit_prelude,
    policies,
    raw_identifiers,
    the_function_stays_callable,
    transactions,
    typed_topics,
    types_of_ones_own_names,
    value_from_the_configuration,
    warnings_stay_the_users,
}

#[test]
fn no_program_is_left_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
}
