package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// An order is one JSON object at the start of the first disk, padded with zeroes; whoever boots the guest writes it from
// outside. A number that is larger than the last one makes it new.
type order struct {
	Number uint64 `json:"number"`
	// Do is one of hold, eat, release, refuse-eject, allow-eject, keep-offline, put-online, power-off, reboot.
	Do string `json:"do"`
	// MiB is how much `hold` holds, and how much `eat` leaves.
	MiB uint64 `json:"mib"`
}

// One block of a disk, which is what can be read past the page cache.
const block = 4096

type orders struct {
	disk   *os.File
	buffer []byte
	obeyed uint64
}

// openOrders finds the disk; a guest without one takes no orders. What is on it already was for an earlier boot: whoever
// obeyed an order to reboot would obey it for ever.
func openOrders() *orders {
	disk, err := os.OpenFile("/dev/vda", os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		fmt.Printf("guest: no orders: %v\n", err)
		return &orders{}
	}
	found := &orders{disk: disk, buffer: aligned(block)}
	found.next()
	return found
}

// next reads the order at hand, and says whether it is new. What does not parse is being written just now.
func (o *orders) next() (order, bool) {
	if o.disk == nil {
		return order{}, false
	}
	if _, err := o.disk.ReadAt(o.buffer, 0); err != nil {
		return order{}, false
	}
	end := 0
	for end < len(o.buffer) && o.buffer[end] != 0 {
		end++
	}
	var read order
	if json.Unmarshal(o.buffer[:end], &read) != nil || read.Number <= o.obeyed {
		return order{}, false
	}
	o.obeyed = read.Number
	return read, true
}

func (g *guest) obey(order order) error {
	switch order.Do {
	case "hold":
		return g.holder.hold(order.MiB << 20)
	case "eat":
		return g.holder.eat(order.MiB << 20)
	case "release":
		return g.holder.release()
	case "refuse-eject":
		return followHotplugOfCPUs(false)
	case "allow-eject":
		return followHotplugOfCPUs(true)
	case "keep-offline", "put-online":
		g.keepOffline = order.Do == "keep-offline"
		return nil
	case "power-off":
		return powerOff()
	case "reboot":
		return syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	default:
		return fmt.Errorf("%q is no order", order.Do)
	}
}

// aligned gives memory that a read past the page cache can go to.
func aligned(size int) []byte {
	whole := make([]byte, size+block)
	skip := block - int(uintptr(unsafe.Pointer(&whole[0]))%block)
	return whole[skip : skip+size]
}
