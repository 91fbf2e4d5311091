//! The folder of one run: all that its servers, its tests and the run itself keep in files.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long what is deleted may still be written to, by a test that has not heard yet that the run has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder among the temporary ones. Dropped, it is deleted with all that is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The variable by which every program finds its temporary files' place.
    pub(crate) const VARIABLE: &str = "TMPDIR";

    pub(crate) fn new() -> Result<Folder, String> {
        let folder = env::temp_dir().join(format!("ommi-run-{}", std::process::id()));
        // A server's own user has to come through; it may not see what else is here.
        let made =
            fs::create_dir(&folder).and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)));
        made.map_err(|error| format!("{} could not be made: {error}", folder.display()))?;
        Ok(Folder(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let started = Instant::now();
        while let Err(error) = fs::remove_dir_all(&self.0) {
            if error.kind() == ErrorKind::NotFound {
                return;
            }
            if started.elapsed() > PATIENCE {
                eprintln!("{} could not be deleted: {error}", self.0.display());
                return;
            }
            sleep(Duration::from_millis(50));
        }
    }
}
