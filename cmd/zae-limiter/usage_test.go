package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/aggregator"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/engine"
)

func TestUsageOfBadFlags(t *testing.T) {
	s := newShell(t)
	for line, want := range map[string]string{
		"usage list":                              "pass --entity-id, --resource or both",
		"usage summary -w daily":                  "pass --entity-id, --resource or both",
		"usage list -e a --start yesterday":       `invalid time "yesterday"`,
		"usage list -e a --start=-1h":             "invalid time",
		"usage list -e a -w weekly":               "must be one of",
		"usage list -e a --plot -o json":          "leave out one of them",
		"usage list -e a --limit=-1":              "must be at least 1",
		"usage list -e \t#":                       "entity",
		"usage summary -e a --start 1h --end 2h":  "--end 2026-03-04 03:06:",
		"usage list -e a --after x":               "--after",
		"usage summary -r gpt-4 --start 20260301": "invalid time",
	} {
		if r := s.want(exitUsage, fields(line)...); !strings.Contains(r.err, want) || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: %s", line, r.err)
		}
	}
	if _, err := os.Stat(s.file); err == nil {
		t.Error("asking for usage made a store")
	}
}

// A time is in UTC, has its own zone, or is a duration before now.
func TestUsageTimes(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-03-01": "2026-03-01T00:00:00Z", "2026-03-01T14:30": "2026-03-01T14:30:00Z", "2026-03-01T14:30:05": "2026-03-01T14:30:05Z",
		"2026-03-01T14:30:05+02:00": "2026-03-01T12:30:05Z", "1h30m": "2026-03-04T03:36:07Z", "0s": "2026-03-04T05:06:07Z",
	} {
		var f timeFlag
		if err := f.UnmarshalText([]byte(text)); err != nil || f.at(now).UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v", text, f.at(now), err)
		}
	}
}

func TestUsagePlot(t *testing.T) {
	s := newShell(t)
	for i, n := range []string{"10", "40", "20", "90"} {
		s.want(exitDone, "acquire", "alice", "jobs", "-c", "tpm="+n, "-c", "rpm=1", "-l", "tpm:1000", "-l", "rpm:1000")
		s.want(exitDone, "acquire", "bob", "jobs", "-c", "tpm="+n, "-l", "tpm:1000")
		s.now = s.now.Add(time.Duration(i+1) * time.Hour)
	}
	golden(t, "plot/usage.txt", s.want(exitDone, fields("usage list -r jobs --plot")...).out)
	golden(t, "plot/usage-daily.txt", s.want(exitDone, fields("usage list -e alice -r jobs -w daily -p")...).out)
	golden(t, "plot/usage-page.txt", s.want(exitDone, fields("usage list -e alice -r jobs --limit 2 -p")...).out)
	golden(t, "plot/usage-none.txt", s.want(exitDone, fields("usage list -e nobody -p")...).out)
	goldenFiles(t, "plot", map[string]bool{"plot/usage.txt": true, "plot/usage-daily.txt": true, "plot/usage-page.txt": true, "plot/usage-none.txt": true})
}

// A chart has all windows between the first and the last, up to the maximum.
func TestUsageSeries(t *testing.T) {
	at := func(text string) moment {
		parsed, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment{parsed}
	}
	doc := func(w engine.Window, start string, n int64) snapshotDoc {
		return snapshotDoc{Window: w, Start: at(start), Tokens: engine.Tokens{"n": n}}
	}
	starts, series := seriesOf([]snapshotDoc{doc(engine.WindowMonthly, "2026-01-01", 1), doc(engine.WindowMonthly, "2026-04-01", 2), doc(engine.WindowMonthly, "2026-01-01", 4)})
	if len(starts) != 4 || len(series["n"]) != 4 || series["n"][0] != 5 || series["n"][1] != 0 || series["n"][3] != 2 {
		t.Errorf("%v, %v", starts, series)
	}
	starts, series = seriesOf([]snapshotDoc{doc(engine.WindowHourly, "1990-01-01", 1), doc(engine.WindowHourly, "2026-04-01", 2)})
	if len(starts) != maxPlotWindows || series["n"][maxPlotWindows-1] != 2 || series["n"][0] != 0 {
		t.Errorf("%d windows", len(starts))
	}
}

// TestUsageOfAKilledRun kills the program while its command runs, and checks that usage has what was consumed.
func TestUsageOfAKilledRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals between processes")
	}
	s := newShell(t)
	for n := range 3 {
		c := exec.Command("zae-limiter", fields("acquire alice jobs -c n=2 -l n:100/day -- sh -c")...)
		c.Args = append(c.Args, "kill -9 $PPID")
		c.Env = append(os.Environ(), "ZAE_LIMITER_STORE="+s.env["ZAE_LIMITER_STORE"])
		if err := c.Run(); err == nil || c.ProcessState.ExitCode() != -1 {
			t.Fatalf("the run was not killed: %v", err)
		}
		s.now = time.Now()
		for range 2 {
			r := s.want(exitDone, fields("usage summary -e alice -r jobs -w monthly")...)
			if want := "n=" + []string{"2", "4", "6"}[n]; !strings.Contains(r.out, want) || r.err != "" {
				t.Errorf("after %d runs, without %s:\n%s%s", n+1, want, r.out, r.err)
			}
		}
	}
}

// waiting returns the number of changes in the file that have not been aggregated.
func (s *shell) waiting() (n int) {
	s.t.Helper()
	file, err := bolt.Open(s.file, &bolt.Options{Feed: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	_, err = file.Feed(s.t.Context(), aggregator.Layouts, 1_000_000, func(changes []backend.Change) error {
		n = len(changes)
		return os.ErrInvalid // keep the changes
	})
	if n == 0 && err != nil {
		s.t.Fatal(err)
	}
	return n
}

// Changes do not accumulate in the file: tidying aggregates them, and so does a run that writes much.
func TestUsageIsMadeInTime(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.must("acquire alice jobs -c n=1 -l n:100/day\nacquire alice jobs -c n=1 -l n:100/day")
	if n := s.waiting(); n != 2 {
		t.Errorf("%d changes wait after two runs", n)
	}
	s.tidies = true
	s.must("acquire alice jobs -c n=1 -l n:100/day")
	if n := s.waiting(); n != 0 {
		t.Errorf("%d changes wait after one that tidies", n)
	}
	file := fileStore(s.file, false, time.Second)
	file.now = func() time.Time { return s.now }
	l, err := engine.New(file, &engine.Options{Timeout: time.Minute}) // slow with the race detector
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range aggregateAfter + 10 {
		if _, err := l.Allow(t.Context(), engine.Request{Entity: "bob", Resource: "jobs", Consume: engine.Tokens{"n": 1}, Limits: []engine.Limit{engine.PerDay("n", 1e6)}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.waiting(); n > 20 {
		t.Errorf("%d changes wait after a thousand in one run", n)
	}
}
