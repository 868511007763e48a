// Command init is the only program of the guest that the tests boot: it tells what the guest itself sees of its CPUs and
// memory, holds memory when it is told to, and otherwise does what any Linux does on hotplug: it puts new CPUs online.
//
// It takes orders from the first disk (see orders.go) and answers on the console, one line a beat (see report.go).
// It must not know what size it is meant to have: what it prints is the guest's word against the host's.
package main

import (
	"fmt"
	"os"
	"time"
)

// How often orders are read and CPUs are put online, and how many beats pass between two lines while nothing changes.
const (
	beat         = 100 * time.Millisecond
	beatsPerLine = 10
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == holderArg {
		holdMemory()
		return
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"mount", mountAll},
		{"modules", loadModules},
	} {
		if err := step.run(); err != nil {
			fmt.Printf("guest: %s: %v\n", step.name, err)
		}
	}
	followPowerButton()
	guest := &guest{boot: bootID(), orders: openOrders(), holder: newHolder()}
	for count := 0; ; count++ {
		guest.follow()
		guest.report(count%beatsPerLine == 0)
		time.Sleep(beat)
	}
}

// guest is what init knows of itself between two beats.
type guest struct {
	boot   string
	orders *orders
	holder *holder
	last   report
	// keepOffline stops CPUs from being put online: a guest without the usual rule of udev.
	keepOffline bool
}

// follow puts CPUs online and carries out an order that is new.
func (g *guest) follow() {
	if !g.keepOffline {
		putCPUsOnline()
	}
	order, isNew := g.orders.next()
	if !isNew {
		return
	}
	if err := g.obey(order); err != nil {
		fmt.Printf("guest: order %d: %v\n", order.Number, err)
	}
}
