package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	signals "os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// under runs a command under a lease of one of two tokens, and checks the exit code.
func (s *shell) under(code int, args ...string) result {
	s.t.Helper()
	return s.want(code, append(fields("acquire alice jobs -c n=1 -l n:2/day --"), args...)...)
}

// left returns how many of the two tokens are available.
func (s *shell) left() string {
	s.t.Helper()
	cells := strings.Fields(strings.Split(s.want(exitDone, fields("available alice jobs -l n:2/day")...).out, "\n")[1])
	return cells[3]
}

func TestCommandExitCode(t *testing.T) {
	s := newShell(t)
	r := s.under(9, "sh", "-c", "echo ran -- $0; exit 9", "--")
	if r.out != "ran -- --\n" || r.err != "zae-limiter: consumed n=1 of alice on jobs in bolt:///STORE\n" {
		t.Errorf("%+v", r)
	}
	if s.left() != "1" {
		t.Errorf("%s are left", s.left())
	}
}

func TestCommandReadsStandardInput(t *testing.T) {
	s := newShell(t)
	s.in = "hello"
	if r := s.under(exitDone, "cat"); r.out != "hello" {
		t.Errorf("%+v", r)
	}
}

func TestCommandThatCannotBeStarted(t *testing.T) {
	s := newShell(t)
	for _, name := range []string{"no-such-command", filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		r := s.under(exitNotStarted, name)
		if r.out != "" || !strings.Contains(r.err, "start the command: ") || !strings.Contains(r.err, "; the tokens were refunded\n") {
			t.Errorf("%+v", r)
		}
	}
	if s.left() != "2" {
		t.Errorf("%s are left", s.left())
	}
}

func TestCommandIsNotRunWhenDenied(t *testing.T) {
	s := newShell(t)
	s.under(exitDone, "true")
	s.under(exitDone, "true")
	r := s.under(exitDenied, "echo", "ran")
	if r.out != "" || !strings.HasPrefix(r.err, "zae-limiter: denied: n of alice on jobs: 1 requested, 0 available of 2;") {
		t.Errorf("%+v", r)
	}
	r = s.want(exitDenied, fields("acquire alice jobs -c n=1 -l n:2/day -o json -- echo ran")...)
	if r.out != "" {
		t.Errorf("standard output is the command's alone: %s", r.out)
	}
}

// TestCommandLeavesTheStoreFree runs a command that uses the store itself.
func TestCommandLeavesTheStoreFree(t *testing.T) {
	s := newShell(t)
	r := s.under(exitDone, "zae-limiter", "--store", s.env["ZAE_LIMITER_STORE"], "--timeout", "0s", "explain", "alice", "jobs")
	if !strings.Contains(r.out, "alice") {
		t.Errorf("%+v", r)
	}
}

// TestCommandGetsSignals checks that the program forwards signals and exits with the code of its command.
func TestCommandGetsSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals between processes")
	}
	for _, c := range []struct {
		command []string
		signal  syscall.Signal
		code    int
		says    string
	}{
		{[]string{"await-signal"}, syscall.SIGINT, 7, "got interrupt\n"},
		{[]string{"await-signal"}, syscall.SIGTERM, 7, "got terminated\n"},
		{[]string{"await-signal"}, syscall.SIGHUP, 7, "got hangup\n"},
		{[]string{"sh", "-c", "echo ready; exec cat"}, syscall.SIGINT, exitInterrupted, ""},
		{[]string{"sh", "-c", "echo ready; exec cat"}, syscall.SIGTERM, 143, ""},
	} {
		s := newShell(t)
		args := append(fields("acquire alice jobs -c n=1 -l n:2/day --"), c.command...)
		code, said := interrupt(t, s, c.signal, args)
		if code != c.code || said != c.says {
			t.Errorf("%v, %v: exit code %d, not %d; said %q", c.command, c.signal, code, c.code, said)
		}
		s.now = time.Now().Add(time.Second)
		if s.left() != "1" { // the command started, so the tokens are consumed
			t.Errorf("%v, %v: %s are left", c.command, c.signal, s.left())
		}
	}
}

// TestCommandIgnoresWhatIsIgnored checks that nohup works: a hang-up reaches neither the program nor its command.
func TestCommandIgnoresWhatIsIgnored(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals between processes")
	}
	s := newShell(t)
	line := `trap '' HUP; zae-limiter acquire alice jobs -c n=1 -l n:2/day -- sh -c 'kill -HUP $PPID $$; echo alive'`
	c := exec.Command("sh", "-c", line+"; echo $?")
	c.Env = append(os.Environ(), "ZAE_LIMITER_STORE="+s.env["ZAE_LIMITER_STORE"])
	if out, err := c.Output(); string(out) != "alive\n0\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// interrupt starts the program, signals it when its command is ready, and returns the exit code and the output.
func interrupt(t *testing.T, s *shell, signal os.Signal, args []string) (code int, said string) {
	t.Helper()
	c := exec.Command("zae-limiter", args...)
	c.Env = append(os.Environ(), "ZAE_LIMITER_STORE="+s.env["ZAE_LIMITER_STORE"])
	heard := make(chan os.Signal, 1)
	signals.Notify(heard, signal) // otherwise the program would ignore the signal if this process does, as background jobs do
	defer signals.Stop(heard)
	in, err := c.StdinPipe() // kept open
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err, err2, c.Start()); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if err := c.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // the exit code is checked instead
	return c.ProcessState.ExitCode(), string(rest)
}
