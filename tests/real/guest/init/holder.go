package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// holderArg makes this program the holder: a process of its own, so that the guest's OOM killer ends it and not init.
const holderArg = "hold-memory"

// chunk is what is held or let go of at once.
const chunk = 4 << 20

// holder is init's side: it starts the process, tells it what to hold, and counts when the guest kills it.
type holder struct {
	lock   sync.Mutex
	input  io.WriteCloser
	bytes  uint64
	deaths int
}

func newHolder() *holder { return &holder{} }

func (h *holder) hold(bytes uint64) error { return h.tell(fmt.Sprintf("hold %d", bytes)) }
func (h *holder) eat(leave uint64) error  { return h.tell(fmt.Sprintf("eat %d", leave)) }
func (h *holder) release() error          { return h.tell("hold 0") }

func (h *holder) held() uint64 {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.bytes
}

func (h *holder) killed() int {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.deaths
}

func (h *holder) tell(order string) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.input == nil {
		if err := h.start(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(h.input, order)
	return err
}

func (h *holder) start() error {
	process := exec.Command("/proc/self/exe", holderArg)
	input, err := process.StdinPipe()
	if err != nil {
		return err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	score := fmt.Sprintf("/proc/%d/oom_score_adj", process.Process.Pid)
	if err := os.WriteFile(score, []byte("1000"), 0o644); err != nil {
		return err
	}
	h.input = input
	go h.watch(process, output)
	return nil
}

// watch keeps the number that the process tells, until it ends.
func (h *holder) watch(process *exec.Cmd, output io.Reader) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		bytes, _ := strconv.ParseUint(lines.Text(), 10, 64)
		h.lock.Lock()
		h.bytes = bytes
		h.lock.Unlock()
	}
	_ = process.Wait()
	h.lock.Lock()
	defer h.lock.Unlock()
	h.input, h.bytes, h.deaths = nil, 0, h.deaths+1
}

// holdMemory is the process: it follows what it is told on its input, and prints what it holds.
func holdMemory() {
	orders := make(chan string)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			orders <- lines.Text()
		}
		os.Exit(0)
	}()
	var held [][]byte
	want := func() uint64 { return 0 }
	for {
		select {
		case order := <-orders:
			want = target(order, &held)
		case <-time.After(20 * time.Millisecond):
		}
		before := len(held)
		held = approach(held, want())
		if len(held) != before {
			fmt.Println(len(held) * chunk)
		}
	}
}

// target turns an order into what is wanted now: a fixed number, or all that is there but a margin.
func target(order string, held *[][]byte) func() uint64 {
	verb, number, _ := strings.Cut(order, " ")
	bytes, _ := strconv.ParseUint(number, 10, 64)
	if verb != "eat" {
		return func() uint64 { return bytes }
	}
	return func() uint64 {
		_, available := memory()
		return uint64(len(*held)*chunk) + saturatingSub(available<<10, bytes)/chunk*chunk
	}
}

// approach takes or lets go of chunks; some at a time, so that the wish is looked at again in between.
func approach(held [][]byte, want uint64) [][]byte {
	for step := 0; step < 8; step++ {
		have := uint64(len(held) * chunk)
		switch {
		case have+chunk <= want:
			memory, err := syscall.Mmap(-1, 0, chunk, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				return held
			}
			fill(memory, byte(len(held)))
			held = append(held, memory)
		case have > want:
			_ = syscall.Munmap(held[len(held)-1])
			held = held[:len(held)-1]
		default:
			return held
		}
	}
	return held
}

// fill makes each page one that cannot be shared or left out.
func fill(memory []byte, salt byte) {
	for at := 0; at < len(memory); at += 4096 {
		memory[at] = salt ^ byte(at>>12) | 1
	}
}

func saturatingSub(from, what uint64) uint64 {
	if what > from {
		return 0
	}
	return from - what
}
