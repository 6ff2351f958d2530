//! The programs of PostgreSQL, the user that runs them, and a fresh database cluster.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User};

use crate::postgres::{apart, copy, run};

/// Who runs PostgreSQL, which refuses root: the first of these that there is.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Where the distributions keep it, one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// What is installed, and who may run it.
pub(crate) struct Programs {
    folder: PathBuf,
    /// When the tests run as root.
    user: Option<User>,
}

impl Programs {
    /// On the PATH, else the newest in `/usr/lib/postgresql`.
    pub(crate) fn find() -> Self {
        let is_there = |folder: &PathBuf| ["postgres", "initdb"].iter().all(|name| folder.join(name).is_file());
        let on_path =
            std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
        let found = on_path.chain(installed()).find(is_there);
        let folder = found.expect(
            "PostgreSQL is not installed: run scripts/test.sh, which installs it, or `apt-get install postgresql`, or put \
             `postgres` and `initdb` on the PATH, or set NATSPUBSUB_TEST_DATABASE_URL",
        );
        let program = folder.join("postgres").canonicalize().expect("a path");
        let folder = program.parent().expect("a folder").to_owned();
        let user = Uid::effective().is_root().then(|| {
            let user = USERS.iter().find_map(|name| User::from_name(name).ok().flatten());
            user.expect("PostgreSQL does not run as root: add a user `postgres`")
        });
        Self { folder, user }
    }

    /// A program, in a folder that its user can read.
    pub(crate) fn command(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.current_dir(folder);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Gives a folder with everything in it to the user.
    fn give(&self, folder: &Path) {
        if let Some(user) = &self.user {
            run(Command::new("chown").arg("-R").arg(format!("{}:{}", user.uid, user.gid)).arg(folder));
        }
    }

    /// The version in the path, such as `_usr_lib_postgresql_15_bin`: a template belongs to it.
    fn name(&self) -> String {
        self.folder.display().to_string().replace('/', "_")
    }
}

fn installed() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// Puts a fresh cluster into `folder/data`. It is made once for each version, and copied: that takes a tenth of the time.
pub(crate) fn template(programs: &Programs, folder: &Path) {
    programs.give(folder);
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
    let template = templates.join(format!("postgres{}", programs.name()));
    let data = folder.join("data");
    if template.is_dir() {
        copy(&template, &data);
        programs.give(&data);
        return;
    }
    let mut initdb = programs.command("initdb", folder);
    initdb.arg("-D").arg(&data).args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    run(initdb.arg("--no-sync"));
    std::fs::create_dir_all(&templates).expect("a folder for templates");
    let part = templates.join(apart("postgres_part"));
    copy(&data, &part);
    // Another process may have been faster; its template is as good.
    if std::fs::rename(&part, &template).is_err() {
        let _ = std::fs::remove_dir_all(&part);
    }
}
