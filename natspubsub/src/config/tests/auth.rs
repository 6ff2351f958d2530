//! Goal: one checked way to log in, or a fault that says what to do. Method: every way alone, and every two.

use secrecy::ExposeSecret;

use super::{credentials, faults, file, load, user_seed};
use crate::config::Auth;

/// A way to log in, in words.
fn login(code: super::Pairs<'_>) -> String {
    match load(code, &[]).unwrap().auth {
        None => "none".to_owned(),
        Some(Auth::Token(token)) => format!("token {}", token.expose_secret()),
        Some(Auth::Password { user, password }) => format!("{user} {}", password.expose_secret()),
        Some(Auth::Nkey { seed }) => format!("nkey {}", seed.expose_secret()),
        Some(Auth::CredentialsFile { path }) => format!("file {}", path.display()),
    }
}

#[test]
fn every_way_to_log_in_is_read() {
    let seed = user_seed();
    let (_folder, path) = file("user.creds", credentials(&seed));
    assert_eq!(login(&[]), "none");
    assert_eq!(login(&[("token", "t")]), "token t");
    assert_eq!(login(&[("user", "u"), ("password", "p")]), "u p");
    assert_eq!(login(&[("nkey_seed", &format!("{seed}\n"))]), format!("nkey {seed}"));
    assert_eq!(login(&[("credentials_file", &path)]), format!("file {path}"));
    assert_eq!(login(&[("url", "nats://t@host")]), "token t");
    assert_eq!(login(&[("url", "nats://u:p@host")]), "u p");
}

#[test]
fn any_two_ways_are_a_fault_that_names_both_places() {
    let seed = user_seed();
    let (_folder, path) = file("user.creds", credentials(&seed));
    let ways: [(&str, Vec<(&str, &str)>); 5] = [
        ("token (set in code)", vec![("token", "t")]),
        ("user (set in code)", vec![("user", "u"), ("password", "p")]),
        ("nkey_seed (set in code)", vec![("nkey_seed", &seed)]),
        ("credentials_file (set in code)", vec![("credentials_file", &path)]),
        ("the address (set in code)", vec![("url", "nats://a:b@host")]),
    ];
    for (index, (one, first)) in ways.iter().enumerate() {
        for (two, second) in &ways[index + 1..] {
            let text = faults(&[first.as_slice(), second].concat());
            let both = format!("2 ways to log in are configured: {one} and {two}; keep one of them");
            assert!(text.contains(&both) && text.contains("1 fault(s)"), "{both} in\n{text}");
        }
    }
    let variables = [("NATS_URL", "nats://t@host"), ("NATSPUBSUB_TOKEN", "t")];
    let text = load(&[], &variables).unwrap_err().to_string();
    for place in ["NATSPUBSUB_TOKEN", "the address (the environment variable NATS_URL)"] {
        assert!(text.contains(place), "{place} in\n{text}");
    }
}

#[test]
fn user_and_password_belong_together() {
    assert!(faults(&[("user", "u")]).contains("user: there is no password; set `password`"));
    assert!(faults(&[("password", "p")]).contains("password: there is no user; set `user`"));
    assert!(faults(&[("user", "u"), ("password", "")]).contains("there is no password"));
}

#[test]
fn the_seed_of_an_nkey_is_a_users() {
    let account = nkeys::KeyPair::new_account().seed().unwrap();
    let text = faults(&[("nkey_seed", &account)]);
    assert!(text.contains("not of a user's; a user's seed starts with SU (set in code)"), "{text}");
    let mut typo = user_seed();
    typo.replace_range(20..21, if &typo[20..21] == "A" { "B" } else { "A" });
    for bad in ["SUA", "no seed", &typo, &"é".repeat(29)] {
        assert!(faults(&[("nkey_seed", bad)]).contains("nkey_seed: the value is no seed of an nkey"), "{bad}");
    }
}

#[test]
fn a_credentials_file_holds_a_jwt_and_a_users_seed() {
    let (seed, account) = (user_seed(), nkeys::KeyPair::new_account().seed().unwrap());
    let whole = credentials(&seed);
    let windows = whole.replace('\n', "\r\n");
    let spaced = whole.replace('\n', " \n");
    // Between the two parts stands what people should read, or no more than one line.
    let start = whole.find("*****").unwrap();
    let short = format!("{}{}", &whole[..start], &whole[whole.find("-----BEGIN USER").unwrap()..]);
    assert!(short.contains("JWT------\n\n-----BEGIN USER"), "{short}");
    let worded = short.replace("JWT------\n\n", "JWT------\nkeep this secret\n");
    assert_ne!(short, worded);
    for content in [windows, spaced, short, worded] {
        let (_folder, path) = file("user.creds", content);
        assert!(load(&[("credentials_file", &path)], &[]).is_ok());
    }
    let (jwt, _) = whole.split_once("****").unwrap();
    for (content, fault) in [
        (String::new(), "holds no JWT between lines of dashes"),
        (seed.clone(), "holds no JWT between lines of dashes"),
        (jwt.to_owned(), "holds no seed behind its JWT"),
        (whole.replace("eyJq-_", "e y"), "begins with a value that is no JWT"),
        (whole.replace("eyJh.", ""), "begins with a value that is no JWT"),
        (credentials(&account), "holds a second value that is the seed of an nkey, but not of a user's"),
        (credentials(&seed[1..]), "holds a second value that is no seed of an nkey"),
    ] {
        let (_folder, path) = file("user.creds", content);
        let text = faults(&[("credentials_file", &path)]);
        assert!(text.contains(&format!("credentials_file: {path:?} {fault}")), "{fault} in\n{text}");
        assert!(!text.contains(&seed[1..]) && !text.contains(&account), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (_folder, large) = file("large", vec![b'x'; (1 << 20) + 1]);
    let here = folder.path().to_str().unwrap();
    for (path, fault) in [
        ("/does/not/exist.creds", "No such file"),
        (here, "it is no regular file"),
        ("/dev/null", "it is no regular file"),
        (&large, "it has more than 1MiB"),
    ] {
        let text = faults(&[("credentials_file", path)]);
        assert!(text.contains(&format!("credentials_file: {path:?} cannot be read: {fault}")), "{fault} in\n{text}");
    }
}

/// What a load writes into the log.
#[cfg(unix)]
fn logged(code: super::Pairs<'_>) -> String {
    use std::io::{Read, Seek};
    let mut log = tempfile::tempfile().unwrap();
    let writer = log.try_clone().unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(std::sync::Mutex::new(writer)).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || load(code, &[]).unwrap());
    log.rewind().unwrap();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    text
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let seed = user_seed();
    let (_a, creds) = file("user.creds", credentials(&seed));
    let (_b, certificate) = file("cert.pem", super::CERTIFICATE);
    let (_c, key) = file("key.pem", super::KEY);
    let code = [("credentials_file", &*creds), ("tls_cert_file", &certificate), ("tls_key_file", &key)];
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        for path in [&creds, &key] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let log = logged(&code);
        for (name, path) in [("credentials_file", &creds), ("tls_key_file", &key)] {
            let told =
                log.lines().any(|line| line.contains("WARN") && line.contains(name) && line.contains(path.as_str()));
            assert_eq!(told, warned, "{name} with mode {mode:o}:\n{log}");
        }
        assert!(!log.contains(&seed), "{log}");
    }
}
