//! A Unix socket for sensor text: whoever may write to its file may connect, which is its owner and its group (mode 0660).
//!
//! Promises: a socket file that a process left behind is replaced; one that somebody listens on is an error, and so is a file
//! that is no socket. The file goes with the listener, unless another one has taken its place.

use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Owner and group may connect.
const MODE: u32 = 0o660;

/// A bound socket.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of its file.
    file: (u64, u64),
}

impl Socket {
    /// Binds a socket at `path`; the folder of it must be there.
    pub(super) fn bind(path: &Path) -> Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                clear(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
        let file = file(path)?;
        Ok(Self { listener, path: path.into(), file })
    }

    /// The next connection, and which process of which user is at its other end.
    pub(super) async fn accept(&self) -> Result<(UnixStream, String)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?;
        let process = peer.pid().map_or_else(|| "a process".into(), |pid| format!("process {pid}"));
        Ok((stream, format!("{process} of user {}", peer.uid())))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if file(&self.path).is_ok_and(|there| there == self.file)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("{} cannot be removed: {error}", self.path.display());
        }
    }
}

/// Removes the socket file at `path`, where nobody listens on it.
fn clear(path: &Path) -> Result<()> {
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket; want a path of its own"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process listens there; want a path of its own")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            tracing::info!("{} was left behind by a process that has ended, and is replaced", path.display());
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

/// Device and number of the file at `path`.
fn file(path: &Path) -> Result<(u64, u64)> {
    let there = std::fs::symlink_metadata(path)?;
    Ok((there.dev(), there.ino()))
}
