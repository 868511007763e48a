//! Programs that stand for VMMs: shell scripts that answer as much as a launcher asks for.

use reef_api::boot::{DiskFile, KernelFiles};
use reef_api::vm::{DiskFormat, VmmKind};
use reef_api::{BootLayout, Bytes, Vcpus};
use reef_daemon::decide::launch::{Accelerator, Told};
use reef_daemon::launch::{Options, Stop, launch};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// What every QEMU of these tests says of itself, and where its socket should be.
const QEMU: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo 'QEMU emulator version 7.2.22 (Debian)'; exit 0; }
socket=$(printf '%s\n' "$@" | sed -n 's/^socket,id=daemon,path=\([^,]*\),.*/\1/p')
greet() { echo '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}' >&0; }
answer() { printf '{"return": %s, "id": %s}\n' "$1" "$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')" >&0; }
serve() {
    greet
    : >"$socket"
    while read -r line <&0; do
        case $line in
        *query-status*) answer '{"running": true, "status": "running"}'; running ;;
        *system_powerdown*) answer '{}'; button ;;
        *) answer '{}' ;;
        esac
    done
}
running() { :; }
button() { :; }
"#;

/// A folder with a kernel, a disk, a program and room for a socket.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// A place whose program does this after it has said what it is.
    pub fn with(script: &str) -> Self {
        Self::with_program(&format!("{QEMU}\n{script}\n"))
    }

    /// A place with this program.
    pub fn with_program(program: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.path("kernel"), "a kernel").unwrap();
        fs::write(place.path("initrd"), "a file system").unwrap();
        fs::write(place.path("disk"), [0; 4096]).unwrap();
        // By another process: a file that a thread of this one still has open for writing cannot be started by the next.
        let script = r#"printf '%s' "$1" >"$0" && chmod 755 "$0""#;
        let made = Command::new("sh").args(["-c", script]).arg(place.path("vmm")).arg(program).status().unwrap();
        assert!(made.success());
        place
    }

    /// A file of the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What boots there.
    pub fn options(&self, vmm: VmmKind) -> Options {
        let text = |name: &str| self.path(name).display().to_string();
        Options {
            layout: BootLayout {
                vmm,
                name: "web/web-1".to_owned(),
                vcpus: Vcpus(2),
                min_vcpus: Vcpus(1),
                max_vcpus: Vcpus(4),
                memory: Bytes(256 << 20),
                min_memory: Bytes(128 << 20),
                max_memory: Bytes(512 << 20),
                kernel: Some(KernelFiles {
                    path: text("kernel"),
                    initramfs: Some(text("initrd")),
                    cmdline: "quiet".to_owned(),
                }),
                disks: vec![DiskFile {
                    name: "root".to_owned(),
                    path: text("disk"),
                    format: DiskFormat::Raw,
                    read_only: false,
                }],
            },
            program: Some(self.path("vmm")),
            accelerator: Some(Accelerator::Tcg),
            folder: self.path("run"),
            ready: Duration::from_secs(20),
            power_off: Duration::from_secs(20),
        }
    }

    /// Launches it; nobody stops it.
    pub async fn told(&self) -> Told {
        launch(self.options(VmmKind::Qemu), Stop::default()).await
    }

    /// Code and message, with the folder's name taken out.
    pub fn plain(&self, told: &Told) -> (u8, String) {
        (told.code, told.message.replace(&self.folder.path().display().to_string(), "HERE"))
    }
}
