package main

import (
	"strings"
	"testing"
	"time"
)

func TestAcquireUntilDenied(t *testing.T) {
	s := newShell(t)
	line := fields("acquire alice gpt-4 -c rpm=1 -l rpm:2")
	s.want(exitDone, line...)
	s.want(exitDone, line...)
	r := s.want(exitDenied, line...)
	if want := "zae-limiter: denied: rpm of alice on gpt-4: 1 requested, 0 available of 2; retry after 28s, or pass --wait 28s\n"; r.err != want {
		t.Errorf("said %q, not %q", r.err, want)
	}
	s.want(exitDone, "reset", "alice", "gpt-4")
	s.want(exitDone, line...)
}

func TestAcquireStoredLimitsAndOverride(t *testing.T) {
	s := newShell(t)
	s.must("resource set-defaults gpt-4 -l rpm:5/day")
	s.want(exitDone, fields("acquire alice gpt-4 -c rpm=4 -l rpm:1/day")...) // stored limits beat -l
	s.want(exitDenied, fields("acquire alice gpt-4 -c rpm=1 -l rpm:2/day --override")...)
	s.want(exitDone, fields("acquire alice gpt-4 -c rpm=1")...)
}

func TestAcquireWaits(t *testing.T) {
	s := newShell(t)
	s.must("resource set-defaults gpt-4 -l rpm:2\nacquire alice gpt-4 -c rpm=2")
	r := s.want(exitDenied, fields("acquire alice gpt-4 -c rpm=1 --wait 28s")...)
	if len(s.slept) > 0 || !strings.Contains(r.err, "retry after 29s") {
		t.Errorf("slept %v: %s", s.slept, r.err)
	}
	s.want(exitDone, fields("acquire alice gpt-4 -c rpm=1 --wait 28s")...)
	if len(s.slept) != 1 || s.slept[0] != 28*time.Second {
		t.Errorf("slept %v, not 28s", s.slept)
	}
	s.want(exitDenied, fields("acquire alice gpt-4 -c rpm=3 --wait 1h")...)
	if len(s.slept) != 1 {
		t.Error("waited for what can never fit")
	}
}

// TestAcquireWaitIsForAll checks that all waits together are at most --wait when somebody else takes the tokens first.
func TestAcquireWaitIsForAll(t *testing.T) {
	s := newShell(t)
	s.must("resource set-defaults gpt-4 -l rpm:1\nacquire alice gpt-4 -c rpm=1")
	s.sleeping = func() { s.must("acquire alice gpt-4 -c rpm=1") } // takes a second
	s.want(exitDenied, fields("acquire alice gpt-4 -c rpm=1 --wait 130s")...)
	if len(s.slept) != 2 {
		t.Errorf("slept %v", s.slept)
	}
}

func TestAcquireTellsATerminalThatItWaits(t *testing.T) {
	s := newShell(t)
	s.terminal = true
	s.must("resource set-defaults gpt-4 -l rpm:1\nacquire alice gpt-4 -c rpm=1")
	if r := s.want(exitDone, fields("acquire alice gpt-4 -c rpm=1 --wait 1m")...); !strings.HasPrefix(r.err, "zae-limiter: waiting 59s for rpm\n") {
		t.Error(r.err)
	}
}
