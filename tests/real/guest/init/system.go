package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// Modules in the order in which they need one another; virtio itself is a module in Debian's kernel for clouds.
var modules = []string{
	"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
	"virtio_mem", "virtio_balloon", "virtio_blk", "button", "evdev",
}

func mountAll() error {
	var failed []error
	for _, mount := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}} {
		if err := os.MkdirAll(mount.at, 0o755); err != nil {
			failed = append(failed, err)
			continue
		}
		if err := syscall.Mount(mount.kind, mount.at, mount.kind, 0, ""); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", mount.at, err))
		}
	}
	return errors.Join(failed...)
}

// loadModules inserts what is there; a kernel that has one built in does not bring its file. `guest.without=NAME` on
// the kernel's command line leaves one out, for a guest that lacks a driver.
func loadModules() error {
	without := kernelArgument("guest.without")
	var failed []error
	for _, name := range modules {
		if name == without {
			continue
		}
		file, err := os.Open(filepath.Join("/modules", name+".ko"))
		if err != nil {
			continue
		}
		if err := insert(file); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
		file.Close()
	}
	return errors.Join(failed...)
}

func insert(file *os.File) error {
	const finitModule = 313 // x86-64; the standard library does not name it.
	none := []byte{0}
	_, _, code := syscall.Syscall(finitModule, file.Fd(), uintptr(unsafe.Pointer(&none[0])), 0)
	if code != 0 {
		return code
	}
	return nil
}

func kernelArgument(name string) string {
	line, _ := os.ReadFile("/proc/cmdline")
	for _, word := range strings.Fields(string(line)) {
		if value, found := strings.CutPrefix(word, name+"="); found {
			return value
		}
	}
	return ""
}

// putCPUsOnline does what udev does elsewhere: a CPU that is hot-added starts offline.
func putCPUsOnline() {
	switches, _ := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/online")
	for _, path := range switches {
		if state, err := os.ReadFile(path); err == nil && bytes.Equal(bytes.TrimSpace(state), []byte("0")) {
			// A CPU that is just being ejected refuses; it is gone at the next beat.
			_ = os.WriteFile(path, []byte("1"), 0o644)
		}
	}
}

// followHotplugOfCPUs switches whether the kernel follows a request to add or eject a CPU.
func followHotplugOfCPUs(follow bool) error {
	value := "0"
	if follow {
		value = "1"
	}
	return os.WriteFile("/sys/firmware/acpi/hotplug/processor/enabled", []byte(value), 0o644)
}

// followPowerButton powers off when the button is pressed: what a shutdown from outside looks like to a guest. Which of
// the input devices is the button differs from machine to machine, so all of them are followed.
func followPowerButton() {
	devices, _ := filepath.Glob("/dev/input/event*")
	if len(devices) == 0 {
		fmt.Println("guest: no power button: there is no input device")
	}
	for _, device := range devices {
		go followKeys(device)
	}
}

func followKeys(device string) {
	const keyEvent, powerKey, eventSize = 1, 116, 24
	events, err := os.Open(device)
	if err != nil {
		fmt.Printf("guest: %v\n", err)
		return
	}
	event := make([]byte, eventSize)
	for {
		if _, err := events.Read(event); err != nil {
			return
		}
		kind := uint16(event[16]) | uint16(event[17])<<8
		code := uint16(event[18]) | uint16(event[19])<<8
		if kind == keyEvent && code == powerKey {
			fmt.Println("guest: the power button was pressed")
			_ = powerOff()
		}
	}
}

func powerOff() error {
	return syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
