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

// detach makes a command survive the end of this process's terminal session.
func detach(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return nil
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// commandLine returns the command line of a process, or an empty string if the process does not exist.
func commandLine(ctx context.Context, pid int) string {
	var text []byte
	if runtime.GOOS == "linux" { // ps may not be installed
		text, _ = os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	} else {
		text, _ = exec.CommandContext(context.WithoutCancel(ctx), "ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	}
	return string(text)
}
