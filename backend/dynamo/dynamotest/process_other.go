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

// removeAtEnd returns a function that removes a container. On this system one outlives a test process that is killed.
func removeAtEnd(container string) (stop func() error, err error) {
	return exec.Command("docker", "rm", "--force", "--volumes", container).Run, nil
}
