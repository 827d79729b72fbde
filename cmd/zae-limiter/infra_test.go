package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// codeFile creates a file that passes for the function's code: the header of a Linux binary for arm64.
func codeFile(t *testing.T) string {
	t.Helper()
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	for offset, v := range map[int]uint16{16: 2, 18: 183, 52: 64, 54: 56, 58: 64} { // executable, AArch64, sizes
		binary.LittleEndian.PutUint16(head[offset:], v)
	}
	binary.LittleEndian.PutUint32(head[20:], 1)
	path := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(path, head, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cloud is a shell with a scripted AWS account, which shares the shell's clock.
type cloud struct {
	*shell
	*stacktest.AWS
	interrupt func()
	ended     chan struct{} // closed when the first command of a scene has ended
}

// newCloud sets this process's environment: the test cannot be parallel.
func newCloud(t *testing.T, o stacktest.Options) *cloud {
	t.Helper()
	c := &cloud{shell: newShell(t)}
	delete(c.env, "ZAE_LIMITER_STORE")
	c.env["ZAE_LIMITER_LAMBDA_ZIP"] = codeFile(t)
	c.sleeping = func() {
		last := c.slept[len(c.slept)-1]
		c.now = c.now.Add(even(last) - last)
		c.pass()
	}
	o.Pace = 4 * time.Second // so that commands meet a stack in the middle of what it does
	c.AWS = stacktest.Start(t, &o)
	c.pass()
	environment := emulated(c.Endpoint)
	environment["AWS_REGION"] = stacktest.Region
	for name, value := range environment {
		t.Setenv(name, value)
		c.env[name] = value
	}
	return c
}

// deployment is a cloud in which my-app is deployed.
func deployment(t *testing.T) *cloud {
	t.Helper()
	c := newCloud(t, stacktest.Options{})
	c.want(exitDone, "deploy", "--name", "my-app", "--no-alarms")
	c.pass()
	return c
}

// even rounds a wait with jitter to 1, 2, 4 seconds and so on.
func even(d time.Duration) time.Duration {
	rest := time.Second
	for d > rest*13/10 {
		rest *= 2
	}
	return rest
}

// pass sets the account's clock by the shell's.
func (c *cloud) pass() { c.Clock.Advance(c.now.Sub(c.Clock.Now())) }

// scene runs commands and returns everything that they print.
func (c *cloud) scene(ctx context.Context, lines ...string) string {
	c.t.Helper()
	var all strings.Builder
	c.ended = make(chan struct{})
	for i, line := range lines {
		c.pass()
		r := c.runContext(ctx, fields(line)...)
		if i == 0 {
			ctx = c.t.Context() // only the first command is interrupted
			close(c.ended)
		}
		all.WriteString("$ zae-limiter " + line + "\n" + r.err + r.out)
		if r.code != 0 {
			fmt.Fprintf(&all, "exit code %d\n", r.code)
		}
	}
	text := strings.ReplaceAll(all.String(), c.Endpoint, "http://AWS")
	return strings.ReplaceAll(text, "\x1b", "ESC")
}
