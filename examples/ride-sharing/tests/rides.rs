//! Goal: the four services do what the drawing says, against a real server, as the README promises. Method: run the program
//! that a newcomer runs, with the programs that were built for this test, and read what it says.

use std::process::{Command, Output};

/// Naming the programs of the services has them built.
const SERVICES: [&str; 4] = [
    env!("CARGO_BIN_EXE_ride-users"),
    env!("CARGO_BIN_EXE_ride-match"),
    env!("CARGO_BIN_EXE_ride-rides"),
    env!("CARGO_BIN_EXE_ride-location"),
];

const EXPECTED: &str = "\
event                published     users     match     rides  location
user.beacon                 12         -        12         -         -
user.finder                 12         -        12         -         -
match.found                 16        16         -         -         -
match.rejected               4         -         4         -         -
match.accepted              12        12         -        12         -
ride.pickup                 12        12        12         -         -
ride.started                12        12         -         -        12
location.update             36         -         -         -        36
location.aggregate          12         -         -        12         -
ride.arrived                12        12         -         -         -
ride.completed              12        12        12         -        12
12 rides: every event reached every service as drawn
";

#[test]
fn every_event_reaches_every_service_as_drawn() {
    assert!(SERVICES.iter().all(|program| std::path::Path::new(program).is_file()));
    let run = Command::new(env!("CARGO_BIN_EXE_ride-sharing")).arg("--built").output().unwrap();
    let Output { status, stdout, stderr } = run;
    let (told, reports) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{status}\n{told}\n{reports}");
    assert_eq!(told, EXPECTED);
    for durable in ["match_accepted_users", "match_accepted_rides", "ride_pickup_users", "ride_pickup_match"] {
        assert!(reports.contains(&format!("durable {durable}")), "{durable} in\n{reports}");
    }
    assert_eq!(reports.matches("drained: ").count(), 4, "{reports}");
}

#[test]
fn the_readme_shows_what_the_program_says() {
    let readme = include_str!("../README.md");
    assert!(readme.contains(EXPECTED), "README.md should show:\n{EXPECTED}");
}
