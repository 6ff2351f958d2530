//! Goal: no secret is printed. Method: every secret key from every source, in good and bad forms and beside faults; look
//! through everything that can be printed.

use super::{Pairs, config_file, credentials, file, found, load, owned, user_seed};
use crate::config::{Config, ConfigBuilder};

const SECRET: &str = "hunter2-secret";

/// Everything that is printed of a configuration with these values, good or not.
fn printed(code: Pairs<'_>, variables: Pairs<'_>) -> String {
    let builder: ConfigBuilder =
        owned(code).into_iter().fold(Config::builder(), |all, (key, value)| all.set(key, value));
    let result = load(code, variables);
    let mut texts = vec![format!("{builder:?} {builder:#?} {:?}", result.as_ref().map(drop))];
    match result {
        Ok(config) => {
            texts.push(format!("{} {config:?} {config:#?} {:?} {:?}", config.explain(), config.auth, config.url))
        }
        Err(error) => texts.push(format!("{error} {error:?} {error:#?}")),
    }
    texts.join("\n")
}

/// Values of a key that hold the secret.
fn forms(key: &str) -> Vec<String> {
    let plain = [
        SECRET.to_owned(),
        format!(" {SECRET}\n"),
        format!("\"{SECRET}"),
        format!("SUA{SECRET}"),
        format!("é{SECRET}"),
    ];
    let addresses = ["nats://HERE@host", "nats://me:HERE@host", "me:HERE@host", "HERE@host", "nats://me:HERE@ho st"];
    let broken =
        ["nats://me:HERE@", "http://me:HERE@host", "nats://a/HERE@host", "nats://me:HERE@one,nats://you:x@two"];
    let fill = |form: &&str| form.replace("HERE", SECRET);
    match key {
        "url" => addresses.iter().chain(&broken).map(fill).collect(),
        "credentials_file" | "tls_key_file" => {
            vec![credentials(SECRET), format!("-----{SECRET}"), format!("{SECRET}\n")]
        }
        _ => plain.into_iter().collect(),
    }
}

#[test]
fn no_secret_is_printed_whatever_its_form_and_its_source() {
    let others: [Pairs<'_>; 5] = [
        &[],
        &[("user", "me")],
        &[("user", "me"), ("password", SECRET)],
        &[("token", SECRET)],
        &[("publish_attempts", "0"), ("tls", "on"), ("env", "a.b")],
    ];
    let variables = |key: &str| -> Vec<String> {
        let common = crate::config::table::VARIABLES.iter().filter(|(_, own)| *own == key);
        let names = common.map(|(name, _)| (*name).to_owned());
        names.chain([format!("NATSPUBSUB_{}", key.to_ascii_uppercase())]).collect()
    };
    let mut seen = 0;
    for key in ["token", "password", "nkey_seed", "url", "credentials_file", "tls_key_file"] {
        for (value, other) in forms(key).iter().flat_map(|value| others.map(|other| (value, other))) {
            let mut texts = vec![printed(&[other, &[(key, value)]].concat(), &[])];
            texts.extend(variables(key).iter().map(|name| printed(other, &[(name, value)])));
            let (_folder, path) = config_file(&format!("{key} = {value:?}\nunknown_key = {value:?}"));
            texts.push(printed(other, &[("NATSPUBSUB_CONFIG", &path)]));
            let (_table, path) = config_file(&format!("[{key}]\nvalue = {value:?}"));
            texts.push(printed(other, &[("NATSPUBSUB_CONFIG", &path)]));
            let (_broken, path) = config_file(&format!("{key} = {value}\n{key} = \"{value}"));
            texts.push(printed(other, &[("NATSPUBSUB_CONFIG", &path)]));
            for text in texts {
                assert!(!text.contains(SECRET), "{key} = {value:?} is printed:\n{text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen} texts were looked through");
}

#[test]
fn a_good_secret_is_explained_as_stars() {
    for code in [[("token", SECRET), ("app", "a")], [("nkey_seed", &user_seed()), ("app", "a")]] {
        let config = load(&code, &[]).unwrap();
        let line = config.origins.iter().find(|line| line.key == code[0].0).unwrap();
        assert_eq!(line.value, "***");
        assert!(!format!("{} {config:?} {:?}", config.explain(), config.auth).contains(code[0].1));
    }
    let unset = load(&[], &[]).unwrap();
    assert!(unset.explain().contains("token                    = not set "), "{}", unset.explain());
}

#[test]
fn two_different_addresses_are_refused_without_their_passwords() {
    let one = format!("nats://me:{SECRET}@one");
    let text = printed(&[], &[("NATS_URL", &one), ("NATS_URLS", "nats://two")]);
    assert!(text.contains("name different servers") && !text.contains(SECRET), "{text}");
}

#[test]
fn what_a_secret_file_holds_is_not_printed() {
    for key in ["credentials_file", "tls_key_file", "tls_ca_file", "tls_cert_file"] {
        for content in [
            credentials(SECRET),
            SECRET.to_owned(),
            format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"),
            format!("-----BEGIN CERTIFICATE {SECRET}\n-----BEGIN\n"),
            format!("-----BEGIN {SECRET}-----\nAAAA\n"),
        ] {
            let (_folder, path) = file("secret", content);
            let text = printed(&[(key, &path)], &[]);
            assert!(text.contains("fault(s)") && !text.contains(SECRET), "{key}:\n{text}");
        }
    }
}

/// The values themselves are found, so that the tests above look for something that is there.
#[test]
fn the_secret_is_found_where_it_is_set() {
    assert_eq!(found(&[], &[("NATS_TOKEN", SECRET)]).unwrap().get("token").unwrap().0, SECRET);
}
