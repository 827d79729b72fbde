//go:build !unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

func detach(*exec.Cmd) error {
	return fmt.Errorf("on this system, only Docker can run it: %w", errors.ErrUnsupported)
}

func terminate(p *os.Process) error { return p.Kill() }

func commandLine(context.Context, int) string { return "" }
