package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// report is what the guest sees of itself; the console shows it as one line of words `name=value`:
//
//	guest: boot=3f.. up=12.250 cpus=2 mem=524288 available=401232 held=0 killed=0 order=0
//
// `mem` is MemTotal and `available` MemAvailable, both in KiB; `held` is what the holder has touched, in KiB; `killed`
// counts holders that the guest's own OOM killer ended; `order` is the last order that was carried out.
type report struct {
	cpus      int
	total     uint64
	available uint64
	held      uint64
	killed    int
	order     uint64
}

func (g *guest) report(due bool) {
	seen := report{cpus: onlineCPUs(), held: g.holder.held(), killed: g.holder.killed(), order: g.orders.obeyed}
	seen.total, seen.available = memory()
	same := seen.cpus == g.last.cpus && seen.total == g.last.total && seen.order == g.last.order && seen.killed == g.last.killed
	if same && !due {
		return
	}
	g.last = seen
	fmt.Printf("guest: boot=%s up=%.3f cpus=%d mem=%d available=%d held=%d killed=%d order=%d\n",
		g.boot, uptime().Seconds(), seen.cpus, seen.total, seen.available, seen.held/1024, seen.killed, seen.order)
	// What the guest uses is measured from outside: a runtime that keeps freed memory would be seen as use.
	debug.FreeOSMemory()
}

// onlineCPUs counts what `nproc` would say: the ranges of `0-1,3`.
func onlineCPUs() int {
	text, _ := os.ReadFile("/sys/devices/system/cpu/online")
	count := 0
	for _, span := range strings.Split(strings.TrimSpace(string(text)), ",") {
		from, to, isRange := strings.Cut(span, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		last := first
		if isRange {
			last, _ = strconv.Atoi(to)
		}
		count += last - first + 1
	}
	return count
}

// memory reads MemTotal and MemAvailable, in KiB.
func memory() (total, available uint64) {
	text, _ := os.ReadFile("/proc/meminfo")
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		value, _ := strconv.ParseUint(words[1], 10, 64)
		switch words[0] {
		case "MemTotal:":
			total = value
		case "MemAvailable:":
			available = value
		}
	}
	return total, available
}

func uptime() time.Duration {
	text, _ := os.ReadFile("/proc/uptime")
	seconds, _, _ := strings.Cut(string(text), " ")
	value, _ := strconv.ParseFloat(seconds, 64)
	return time.Duration(value * float64(time.Second))
}
