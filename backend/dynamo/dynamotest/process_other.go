//go:build !unix

package dynamotest

import "os/exec"

// guarded is the command as it is: on this system an emulator outlives a test process that is killed.
func guarded(folder string, line []string) *exec.Cmd {
	command := exec.Command(line[0], line[1:]...)
	command.Dir = folder
	return command
}

func killGroup(c *exec.Cmd) { _ = c.Process.Kill() } // it may have ended
