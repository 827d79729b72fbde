package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// forgetful is a store that loses every tenth charge.
type forgetful struct {
	*memory.Store
	writes int
}

// Apply implements [backend.Backend].
func (s *forgetful) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	for i := range writes {
		if s.writes++; s.writes%10 == 0 {
			gone := []backend.Write{{Key: writes[i].Key, Layout: schema.BucketLayout, Remove: true}}
			if err := s.Store.Apply(ctx, gone, make([]backend.Outcome, 1)); err != nil {
				return err
			}
		}
	}
	return s.Store.Apply(ctx, writes, out)
}

// TestLoadtestFindsABrokenBound checks that a store that loses charges gives exit code 6 and a violation.
func TestLoadtestFindsABrokenBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, broken := range []bool{false, true} {
			s := newShell(t)
			s.virtual = true
			var d backend.Backend = memory.New(nil)
			if broken {
				d = &forgetful{Store: memory.New(nil)}
			}
			var out, said bytes.Buffer
			w := s.world()
			w.Out, w.Err = &out, &said
			app := &App{host: w, Globals: Globals{Namespace: "default", Timeout: time.Second}}
			app.store = &store{url: "memory:", open: func() (backend.Backend, error) { return d, nil }}
			c := loadtestCmd{
				Rate: 100, Duration: 5 * time.Second, Arrivals: "even", Entities: 1, Depth: 1, Resource: "r", Mode: "allow",
				Processes: 1, Limiters: 1, Patience: time.Second, InFlight: 10, Limit: []limitFlag{{mustLimit(t, "rps:10/s")}}, Output: Output{"json"},
			}
			err := c.Run(t.Context(), nil, app)
			code := app.finish(t.Context(), err)
			var doc loadDoc
			if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
				t.Fatal(err)
			}
			if broken != errors.Is(err, errBoundBroken) || broken != (code == exitMismatch) || broken == doc.Bound.Kept || doc.Bound.Broken != len(doc.Bound.Violations) {
				t.Errorf("broken %v: exit code %d, %v, %+v", broken, code, err, doc.Bound)
			}
			if says := "limit violated: rps:10/s of loadtest-"; broken != strings.Contains(said.String(), says) {
				t.Errorf("broken %v: says %s", broken, said.String())
			}
		}
	})
}

// TestLoadtestInterrupted checks that an interrupted test prints its report and cleans up.
func TestLoadtestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShell(t)
		s.virtual = true
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		stop, cause := context.WithCancel(context.Background())
		defer cause()
		context.AfterFunc(ctx, cause)
		r := s.runContext(stop, fields("loadtest -l rps:10/s --rate 20 --duration 1h --warm-up 1s --entities 5 -o json")...)
		if r.code != exitInterrupted || !strings.Contains(r.out, `"completed": false`) || !strings.HasSuffix(r.err, "zae-limiter: interrupted\n") {
			t.Errorf("exit code %d: %s%s", r.code, r.out, r.err)
		}
		var doc loadDoc
		if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.Acquires.Sent < 50 || doc.Acquires.Sent > 90 || !doc.Bound.Kept {
			t.Errorf("%+v, %v", doc.Acquires, err)
		}
		s.virtual = false
		if r := s.want(exitDone, "top", "--once", "--interval", "0s"); !strings.Contains(r.out, "0 of 0 buckets") {
			t.Errorf("left behind: %s", r.out)
		}
	})
}

// TestLoadtestProgress checks the progress: a line every few seconds, or a line that is redrawn on a terminal.
func TestLoadtestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShell(t)
		s.virtual = true
		line := fields("loadtest -l rps:10/s --rate 10 --duration 30s --warm-up 2s --entities 1 --no-plot")
		r := s.want(exitDone, line...)
		if n := strings.Count(r.err, "\n"); n < 3 || n > 4 || !strings.Contains(r.err, "zae-limiter: 10s of 30s: ") {
			t.Errorf("%d lines: %s", n, r.err)
		}
		s.terminal = true
		r = s.want(exitDone, line...)
		if !strings.Contains(r.err, "\rwarming up, 1s of 2s: ") || !strings.Contains(r.err, "\r15s of 30s: ") || !strings.HasSuffix(r.err, "\r\x1b[K") {
			t.Errorf("on a terminal: %q", r.err)
		}
	})
}

func TestLoadtestRefuses(t *testing.T) {
	for line, says := range map[string]string{
		"loadtest -l a:1 --rate 0":                      "--rate 0 must be above 0",
		"loadtest -l a:1 --rate NaN":                    "--rate NaN must be above 0",
		"loadtest -l a:1 --skew NaN":                    "--skew NaN must be above 1",
		"loadtest -l a:1 --roll-back NaN":               "--roll-back NaN must be 0 to 1",
		"loadtest -l a:1 --duration 2h":                 "--duration 2h0m0s must be",
		"loadtest -l a:1 --warm-up=-1s":                 "--warm-up -1s",
		"loadtest -l a:1 --rate 1000000 --duration 1m":  "at most 5000000 are possible",
		"loadtest -l a:1 --entities 0":                  "--entities 0",
		"loadtest -l a:1 --depth 4":                     "--depth 4 must be 1 to 3",
		"loadtest -l a:1 --depth 2 --entities 2000":     "must be at most 1000 with --depth",
		"loadtest -l a:1 --skew 0.9":                    "--skew 0.9 must be above 1",
		"loadtest -l a:1 --roll-back 2":                 "--roll-back 2",
		"loadtest -l a:1 --roll-back 0.5 --mode allow":  "--roll-back needs --mode lease",
		"loadtest -l a:1 --processes 0":                 "--processes 0",
		"loadtest -l a:1 --limiters 0":                  "--limiters 0",
		"loadtest -l a:1 --processes 2":                 "--processes 2 needs a table in DynamoDB: several processes cannot share bolt:///STORE: pass --limiters 2 instead",
		"--store memory: loadtest -l a:1 --processes 2": "--processes 2 needs a table in DynamoDB: several processes cannot share memory: ",
		"loadtest -l a:1 --in-flight 0":                 "--in-flight 0",
		"loadtest -l a:1 -c b=1":                        "unknown limit: b",
		"loadtest -l a:1 -c a=2":                        "--consume exceeds the capacity of a limit",
		"loadtest":                                      "no limits are configured for loadtest in bolt:///STORE; pass limits",
		`loadtest -l a:1 --resource "not legal"`:        `resource "not legal": must be`,
		"loadtest -l a:1000000000000000 --depth 3":      "10^15",
		"--store dynamodb://x/y loadtest -l a:1":        `invalid store "dynamodb://x/y"`,
		"loadtest -l a:1 --arrivals never":              "--arrivals must be one of",
	} {
		s := newShell(t)
		if r := s.want(exitUsage, fields(line)...); !strings.Contains(r.err, says) || r.out != "" {
			t.Errorf("%s: %s%s", line, r.err, r.out)
		}
	}
	s := newShell(t)
	s.env["ZAE_LIMITER_STORE"], s.env["ZAE_LIMITER_NAME"] = "", "my-app"
	if r := s.want(exitUsage, "loadtest", "-l", "a:1"); !strings.Contains(r.err, "dynamodb://my-app, which the environment selects, costs money: name it on the command line") {
		t.Error(r.err)
	}
}

func TestBrisk(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 812: "810ns", 1234: "1.23µs", 123456: "123µs", 12345678: "12.3ms", 1234567890: "1.23s", 3_661_234_000_000: "1h1m1s",
	} {
		if got := roundDuration(d).String(); got != want {
			t.Errorf("%d ns: %s, not %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
