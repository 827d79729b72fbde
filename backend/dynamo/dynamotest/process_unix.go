//go:build unix

package dynamotest

import (
	"os/exec"
	"syscall"
)

// guard runs a command line and ends it when standard input ends, which means that the test process has ended, even if it was
// killed. Then it removes the folder, its first argument, too.
const guard = `PATH=$PATH:/usr/bin:/bin
exec 3<&0
"$@" </dev/null 3<&- & java=$!
{
	read -r never <&3
	: >"$0/orphan"
	kill $java
	for n in 1 2 3 4 5 6 7 8 9 10; do kill -0 $java && sleep .3; done
	kill -9 $java
	rm -rf "$0"
} >/dev/null 2>&1 & guard=$!
exec 3<&-
wait $java
[ -e "$0/orphan" ] || kill $guard`

// guarded returns a command in a process group of its own, so that it can be killed with all that it has started.
func guarded(folder string, line []string) *exec.Cmd {
	command := exec.Command("/bin/sh", append([]string{"-c", guard, folder}, line...)...)
	command.Dir = folder
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return command
}

func killGroup(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // it may have ended
