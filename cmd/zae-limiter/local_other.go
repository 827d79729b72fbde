//go:build !unix

package main

import (
	"context"
	"os"
	"os/exec"
)

func detach(*exec.Cmd) error { return errOnlyDocker }

func terminate(p *os.Process) error { return p.Kill() }

func commandLine(context.Context, int) string { return "" }
