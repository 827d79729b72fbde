//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// TestTopOnATerminal runs the program on a terminal, and checks that it restores the terminal.
func TestTopOnATerminal(t *testing.T) {
	for _, c := range []struct {
		keys string
		code int
	}{{"q", exitDone}, {"\x03", exitInterrupted}} {
		s := newShell(t)
		s.now = time.Now()
		s.must("acquire team-b gpt-4 -c rpm=1 -l rpm:10/day")
		terminal, theirs, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer terminal.Close()
		err = errors.Join(terminal.SetReadDeadline(time.Now().Add(time.Minute)), pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 80}))
		if err != nil {
			t.Fatal(err)
		}
		before, err := term.GetState(int(theirs.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		p := exec.Command("zae-limiter", "top", "--interval", "1h")
		p.Env = append(os.Environ(), "ZAE_LIMITER_STORE="+s.env["ZAE_LIMITER_STORE"], "TERM=xterm", "NO_COLOR=1")
		p.Stdin, p.Stdout, p.Stderr = theirs, theirs, theirs
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		defer p.Process.Kill() //nolint:errcheck // it has ended already if the test passes
		reader := bufio.NewReader(terminal)
		until(t, reader, "team-b  ") // drawn
		frame := until(t, reader, "s sort")
		if strings.Contains(frame, "\x1b[1m") || strings.Contains(frame, "\x1b[3") {
			t.Errorf("coloured in spite of NO_COLOR: %q", frame)
		}
		if _, err := terminal.WriteString("s"); err != nil {
			t.Fatal(err)
		}
		until(t, reader, "by tokens")
		if err := pty.Setsize(terminal, &pty.Winsize{Rows: 6, Cols: 50}); err != nil {
			t.Fatal(err)
		}
		until(t, reader, "\x1b[6;1H")
		if _, err := terminal.WriteString(c.keys); err != nil {
			t.Fatal(err)
		}
		until(t, reader, screenOff)
		_ = p.Wait() // the exit code is checked instead
		if code := p.ProcessState.ExitCode(); code != c.code {
			t.Errorf("%q: exit code %d, not %d", c.keys, code, c.code)
		}
		after, err := term.GetState(int(theirs.Fd()))
		if err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%q: the terminal was left otherwise: %+v, before %+v, %v", c.keys, after, before, err)
		}
		theirs.Close()
	}
}

// until reads up to a text, and fails if it does not come.
func until(t *testing.T, from *bufio.Reader, text string) string {
	t.Helper()
	var read strings.Builder
	for !strings.HasSuffix(read.String(), text) {
		b, err := from.ReadByte()
		if err != nil {
			t.Fatalf("no %q in %q: %v", text, read.String(), err)
		}
		read.WriteByte(b)
	}
	return read.String()
}
