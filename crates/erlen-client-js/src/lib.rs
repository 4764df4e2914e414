//! The official Socket.IO JavaScript client, as npm publishes it, embedded in the program.
//!
//! The build fetches the version that `package-lock.json` pins; none of its code is committed here, and this crate
//! changes none of it. It is no server: `serve_client` of `erlen` decides under which path, and with which headers,
//! the files go out. Only a program that depends on this crate needs npm when it is built.
//!
//! File names are those of Node's `serveClient`, see
//! [the server option](https://socket.io/docs/v4/server-options/#serveclient).

/// One file of the client.
#[derive(Clone, Copy)]
pub struct ClientFile {
    /// The file's name, such as `socket.io.min.js`.
    pub name: &'static str,
    /// The value for the `Content-Type` header.
    pub content_type: &'static str,
    /// The file as published.
    pub bytes: &'static [u8],
    /// The same bytes as gzip, for answers with `Content-Encoding: gzip`.
    pub gzip: &'static [u8],
}

/// The version of `socket.io-client`; Node sends it, quoted, as the `ETag` of each file.
pub const VERSION: &str = env!("SOCKET_IO_CLIENT_VERSION");

const FILES: [ClientFile; 8] = include!(concat!(env!("OUT_DIR"), "/files.rs"));
static FILE_LIST: [ClientFile; 8] = FILES;
static BUNDLE_FILES: [BundleFile; 8] = bundle_files();

/// Name, content type and content of a file, and the same as gzip.
pub type BundleFile = (&'static str, &'static str, &'static [u8], &'static [u8]);

/// The version and all files: what the builder's `serve_client` takes.
pub const BUNDLE: (&str, &[BundleFile]) = (VERSION, &BUNDLE_FILES);

const fn bundle_files() -> [BundleFile; 8] {
    let mut files: [BundleFile; 8] = [("", "", &[], &[]); 8];
    let mut index = 0;
    while index < files.len() {
        let file = FILES[index];
        files[index] = (file.name, file.content_type, file.bytes, file.gzip);
        index += 1;
    }
    files
}

/// All files, bundles and source maps.
///
/// ```
/// let bundle = erlen_client_js::files().iter().find(|file| file.name == "socket.io.min.js").unwrap();
/// assert!(bundle.content_type.starts_with("application/javascript"));
/// ```
pub fn files() -> &'static [ClientFile] {
    &FILE_LIST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_node() {
        let names: Vec<_> = files().iter().map(|file| file.name).collect();
        for bundle in ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"]
        {
            assert!(names.contains(&bundle), "{bundle} is missing");
            assert!(names.contains(&format!("{bundle}.map").as_str()), "{bundle}.map is missing");
        }
    }

    #[test]
    fn every_bundle_names_the_version_that_is_pinned() {
        let banner = format!("Socket.IO v{VERSION}");
        for file in files().iter().filter(|file| file.name.ends_with(".js")) {
            let head = String::from_utf8_lossy(&file.bytes[..200]);
            assert!(head.contains(&banner), "{} opens with {head}", file.name);
        }
    }

    #[test]
    fn the_bundle_holds_every_file_as_it_was_published() {
        let (version, bundle) = BUNDLE;
        assert_eq!(version, VERSION);
        for (file, embedded) in files().iter().zip(bundle) {
            assert_eq!((file.name, file.content_type, file.bytes, file.gzip), *embedded);
        }
        assert_eq!(bundle.len(), files().len());
    }

    #[test]
    fn the_compressed_bytes_are_gzip_and_smaller() {
        for file in files() {
            assert_eq!(file.gzip[..2], [0x1f, 0x8b], "{} is not gzip", file.name);
            assert!(file.gzip.len() < file.bytes.len() / 2, "{} did not shrink", file.name);
        }
    }
}
