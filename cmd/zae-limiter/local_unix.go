//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// detach makes a command one that the terminal does not end with us.
func detach(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return nil
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// commandLine is the command line of a process, "" if there is none.
func commandLine(ctx context.Context, pid int) string {
	var text []byte
	if runtime.GOOS == "linux" { // which need not have ps
		text, _ = os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	} else {
		text, _ = exec.CommandContext(context.WithoutCancel(ctx), "ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	}
	return string(text)
}
