//! An image with one layer as an OCI layout in a tar: what `ctr images import`, podman, skopeo and Docker from version 25 on read.
//!
//! Formats only; what is in the image is the caller's matter. The three documents are short enough to be written out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::Builder;

use crate::layer::{Layer, plain};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Whether a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is: for images that never leave this machine.
    None,
    /// By gzip.
    Gzip,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Its name and tag, with the registry: what containerd knows it by.
    pub name: &'a str,
    /// What it runs.
    pub entrypoint: &'a [&'a str],
    /// As whom, where that is not root.
    pub user: Option<u64>,
    /// What is said of it.
    pub labels: BTreeMap<&'a str, &'a str>,
    /// Whether its layer is compressed.
    pub compression: Compression,
}

/// How large an image became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of its files, as a tar.
    pub unpacked: u64,
    /// Bytes of its layer, as it is sent.
    pub packed: u64,
}

impl Image<'_> {
    /// Writes the image. What stands at `path` is replaced when it is whole.
    ///
    /// # Errors
    /// A file of the layer cannot be read, or nothing be written beside `path`.
    pub fn write(&self, layer: &Layer, path: &Path) -> Result<Written> {
        let folder = path.parent().context("an image needs a folder")?;
        let (mut packed, sums) = self.pack(layer, tempfile::tempfile_in(folder)?)?;
        packed.rewind()?;
        let config = self.config(&sums.unpacked.digest).to_string();
        let manifest = manifest(self.layer_type(), &sums.packed, &config).to_string();
        let index = self.index(&manifest).to_string();
        let output = tempfile::NamedTempFile::new_in(folder)?;
        let mut tar = Builder::new(output);
        for text in [config, manifest] {
            add(&mut tar, &blob(&digest(&text)), text.len(), text.as_bytes())?;
        }
        let size = usize::try_from(sums.packed.size)?;
        add(&mut tar, &blob(&sums.packed.digest), size, packed)?;
        add(&mut tar, "index.json", index.len(), index.as_bytes())?;
        let version = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
        add(&mut tar, "oci-layout", version.len(), version.as_bytes())?;
        tar.into_inner()?.persist(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Written { unpacked: sums.unpacked.size, packed: sums.packed.size })
    }

    fn pack(&self, layer: &Layer, file: File) -> Result<(File, Sums)> {
        let packed = Summed::new(file);
        let (unpacked, packed) = match self.compression {
            Compression::None => {
                let (sum, packed) = layer.write(Summed::new(packed))?.end();
                (sum, packed)
            }
            Compression::Gzip => {
                let gzip = GzEncoder::new(packed, flate2::Compression::best());
                let (sum, gzip) = layer.write(Summed::new(gzip))?.end();
                (sum, gzip.finish()?)
            }
        };
        let (packed, file) = packed.end();
        Ok((file, Sums { unpacked, packed }))
    }

    fn layer_type(&self) -> String {
        match self.compression {
            Compression::None => LAYER.to_owned(),
            Compression::Gzip => format!("{LAYER}+gzip"),
        }
    }

    fn config(&self, unpacked: &str) -> Value {
        // An empty user is root.
        let user = self.user.map(|user| format!("{user}:{user}")).unwrap_or_default();
        let config = json!({ "Entrypoint": self.entrypoint, "User": user, "WorkingDir": "/", "Labels": self.labels });
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": [unpacked] },
        })
    }

    fn index(&self, manifest: &str) -> Value {
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let names = json!({ "io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag });
        let platform = json!({ "architecture": architecture(), "os": "linux" });
        let described = json!({
            "mediaType": MANIFEST, "digest": digest(manifest), "size": manifest.len(), "annotations": names, "platform": platform
        });
        json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described] })
    }
}

fn manifest(layer_type: String, layer: &Sum, config: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": digest(config), "size": config.len() },
        "layers": [{ "mediaType": layer_type, "digest": layer.digest, "size": layer.size }],
    })
}

fn add<W: Write>(tar: &mut Builder<W>, path: &str, size: usize, content: impl io::Read) -> Result<()> {
    let mut header = plain(0o644, 0);
    header.set_size(u64::try_from(size)?);
    Ok(tar.append_data(&mut header, path, content)?)
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn digest(text: &str) -> String {
    named(&Sha256::digest(text))
}

fn named(sum: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sum))
}

struct Sums {
    unpacked: Sum,
    packed: Sum,
}

struct Sum {
    digest: String,
    size: u64,
}

/// Passes bytes on, and knows their sum.
struct Summed<W> {
    output: W,
    sum: Sha256,
    size: u64,
}

impl<W> Summed<W> {
    fn new(output: W) -> Self {
        Self { output, sum: Sha256::new(), size: 0 }
    }

    fn end(self) -> (Sum, W) {
        (Sum { digest: named(&self.sum.finalize()), size: self.size }, self.output)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.sum.update(bytes.get(..count).unwrap_or_default());
        self.size = self.size.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// The name that images have for this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn image(compression: Compression) -> Image<'static> {
        let labels = [("org.opencontainers.image.version", "1.2.3")].into();
        Image { name: "example.com/reef:1.2.3", entrypoint: &["/reef"], user: Some(65_532), labels, compression }
    }

    /// The files of a written image.
    fn files(compression: Compression) -> (Written, Vec<u8>, BTreeMap<String, Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        let mut layer = Layer::default();
        layer.text("/etc/passwd", &"root:x:0:0\n".repeat(100));
        let written = image(compression).write(&layer, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), content);
        }
        (written, bytes, found)
    }

    fn document(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Value {
        serde_json::from_slice(&files[path]).unwrap()
    }

    fn pointed<'a>(files: &'a BTreeMap<String, Vec<u8>>, at: &Value) -> &'a [u8] {
        let content = &files[&blob(at["digest"].as_str().unwrap())];
        assert_eq!(at["size"], content.len());
        assert_eq!(at["digest"], named(&Sha256::digest(content)));
        content
    }

    #[test]
    fn each_part_is_found_by_its_sum_and_the_layer_unpacks_to_what_the_config_says() {
        for compression in [Compression::None, Compression::Gzip] {
            let (written, _, files) = files(compression);
            assert_eq!(document(&files, "oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }));
            let described = document(&files, "index.json")["manifests"][0].clone();
            assert_eq!(described["annotations"]["io.containerd.image.name"], "example.com/reef:1.2.3");
            let manifest: Value = serde_json::from_slice(pointed(&files, &described)).unwrap();
            let config: Value = serde_json::from_slice(pointed(&files, &manifest["config"])).unwrap();
            let expected = json!({
                "Entrypoint": ["/reef"], "WorkingDir": "/", "User": "65532:65532",
                "Labels": { "org.opencontainers.image.version": "1.2.3" }
            });
            assert_eq!(config["config"], expected);
            let packed = pointed(&files, &manifest["layers"][0]);
            let mut layer = Vec::new();
            match compression {
                Compression::None => layer.extend(packed),
                Compression::Gzip => {
                    flate2::read::GzDecoder::new(packed).read_to_end(&mut layer).unwrap();
                }
            }
            assert_eq!(config["rootfs"]["diff_ids"], json!([named(&Sha256::digest(&layer))]));
            let size = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap();
            assert_eq!(written, Written { unpacked: size(&layer), packed: size(packed) });
        }
    }

    #[test]
    fn the_same_files_are_the_same_bytes() {
        for compression in [Compression::None, Compression::Gzip] {
            assert!(files(compression).1 == files(compression).1);
        }
    }
}
