// Command initramfs writes the file system that the guest of the tests boots from: one program and a few modules of the
// kernel, as a cpio archive of the kind "newc" that the kernel unpacks.
//
//	initramfs -init PROGRAM -modules FOLDER -out FILE
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The modules that the guest inserts, where the kernel has them as files.
var wanted = []string{
	"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
	"virtio_mem", "virtio_balloon", "virtio_blk", "button", "evdev",
}

func main() {
	program := flag.String("init", "", "program that becomes /init")
	folder := flag.String("modules", "", "folder below which the kernel's modules are")
	out := flag.String("out", "", "archive to write")
	flag.Parse()
	if err := write(*program, *folder, *out); err != nil {
		fmt.Fprintln(os.Stderr, "initramfs:", err)
		os.Exit(1)
	}
}

func write(program, folder, out string) error {
	modules, err := find(folder)
	if err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	defer file.Close()
	archive := &archive{to: file}
	for _, name := range []string{"dev", "proc", "sys", "modules"} {
		archive.add(name, fs.ModeDir|0o755, nil)
	}
	if err := archive.addFile("init", 0o755, program); err != nil {
		return err
	}
	for _, name := range wanted {
		if path, found := modules[name]; found {
			if err := archive.addFile("modules/"+name+".ko", 0o644, path); err != nil {
				return err
			}
		}
	}
	archive.add("TRAILER!!!", 0, nil)
	if archive.failed != nil {
		return archive.failed
	}
	return file.Close()
}

// find gives the path of each module below a folder, by name. virtio_mem is what the tests are about: without it there
// is no point in going on.
func find(folder string) (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if name, isModule := strings.CutSuffix(filepath.Base(path), ".ko"); err == nil && isModule {
			found[name] = path
		}
		return err
	})
	if err == nil && found["virtio_mem"] == "" {
		err = fmt.Errorf("no virtio_mem.ko below %s: is this the kernel's folder, and are its modules not compressed?", folder)
	}
	return found, err
}

// archive writes entries one after the other, and remembers the first failure.
type archive struct {
	to     io.Writer
	inode  int
	failed error
}

func (a *archive) addFile(name string, mode fs.FileMode, path string) error {
	content, err := os.ReadFile(path)
	if err == nil {
		a.add(name, mode, content)
	}
	return err
}

// add writes a header of fourteen hexadecimal numbers, the name, and the content, each padded to four bytes.
func (a *archive) add(name string, mode fs.FileMode, content []byte) {
	const folder, file = 0o040000, 0o100000
	kind := file
	if mode.IsDir() {
		kind = folder
	}
	a.inode++
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, kind|int(mode.Perm()), 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	a.write(padded([]byte(header + name + "\x00")))
	a.write(padded(content))
}

func (a *archive) write(bytes []byte) {
	if a.failed == nil {
		_, a.failed = a.to.Write(bytes)
	}
}

func padded(bytes []byte) []byte {
	for len(bytes)%4 != 0 {
		bytes = append(bytes, 0)
	}
	return bytes
}
