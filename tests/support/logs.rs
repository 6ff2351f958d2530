//! Everything that this process logs, at TRACE and from every crate: kept for a test that looks at it, and written to a
//! folder when the whole run is to be looked through (`scripts/test.sh` looks for secrets in it).

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// The folder that the logs of a whole run go to; not set: none are written.
const FOLDER: &str = "TEST_LOG_FOLDER";

/// What every secret of the tests contains, if its form allows it.
pub const SECRET_MARK: &str = "hunter2";

/// Lines are cut here in the folder of a run.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Where the lines go.
#[derive(Default)]
struct Sink {
    file: Option<File>,
    kept: Mutex<Option<Vec<u8>>>,
}

static SINK: OnceLock<Sink> = OnceLock::new();

/// Collects from now on what this process logs; nextest runs each test in a process of its own.
///
/// # Panics
/// When the test has installed a subscriber of its own.
pub fn keep_logs() {
    let sink = SINK.get_or_init(|| {
        let sink = Sink::of_this_process();
        assert!(install(None, None), "no other subscriber is installed");
        sink
    });
    sink.kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
}

/// What was collected since [`keep_logs`].
pub fn kept_logs() -> String {
    let kept = SINK.get().and_then(|sink| sink.kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
    String::from_utf8_lossy(&kept.unwrap_or_default()).into_owned()
}

/// Writes what this process logs to the folder of the run, if there is one. A test that installs a subscriber of its
/// own does so first, and is left alone.
pub fn record_logs() {
    if std::env::var_os(FOLDER).is_some() {
        SINK.get_or_init(|| {
            let sink = Sink::of_this_process();
            install(None, None);
            sink
        });
    }
}

/// The same for a worker, which prints what `filter` lets through besides.
pub fn print_and_record_logs(filter: &str) {
    print_and_record(filter, None);
}

/// The same with a layer of the worker's own.
pub fn print_and_record_logs_with(filter: &str, layer: Box<dyn Layer<Registry> + Send + Sync>) {
    print_and_record(filter, Some(layer));
}

fn print_and_record(filter: &str, own: Option<Box<dyn Layer<Registry> + Send + Sync>>) {
    SINK.get_or_init(|| {
        let sink = Sink::of_this_process();
        install(Some(filter), own);
        sink
    });
}

/// Whether this process had no subscriber before.
fn install(printed: Option<&str>, own: Option<Box<dyn Layer<Registry> + Send + Sync>>) -> bool {
    let everything = (printed.is_none() || std::env::var_os(FOLDER).is_some()).then(|| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Lines);
        layer.with_filter(LevelFilter::TRACE)
    });
    let printed =
        printed.map(|filter| tracing_subscriber::fmt::layer().with_ansi(false).with_filter(EnvFilter::new(filter)));
    let subscriber = tracing_subscriber::registry().with(own).with(everything).with(printed);
    tracing::subscriber::set_global_default(subscriber).is_ok()
}

impl Sink {
    fn of_this_process() -> Self {
        let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return Self::default() };
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("test");
        let path = folder.join(format!("{program}-{}.log", std::process::id()));
        let file = File::options().create(true).append(true).open(&path);
        Self { file: Some(file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))), ..Self::default() }
    }
}

/// A writer of lines to the sink: unbuffered, so that a kill loses nothing.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Some(sink) = SINK.get() else { return Ok(bytes.len()) };
        if let Some(mut file) = sink.file.as_ref() {
            // The client writes whole messages, of many megabytes in some tests.
            file.write_all(&bytes[..bytes.len().min(LINE_BYTES_MAX)])?;
            if bytes.len() > LINE_BYTES_MAX {
                file.write_all(b"\n")?;
            }
        }
        if let Some(kept) = &mut *sink.kept.lock().unwrap_or_else(PoisonError::into_inner) {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
