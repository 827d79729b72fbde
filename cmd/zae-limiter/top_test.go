package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "any", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"*", "", true},
		{"team-*", "team-/x", true},
		{"team-*", "team", false},
		{"*-b", "team-b", true},
		{"*-b", "team-bc", false},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "abc", true},
		{"a*b*c", "acb", false},
		{"ab*ba", "aba", false},
		{"a*bc*c", "abc", false},
	} {
		if got := namePattern(c.pattern).MatchString(c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestCompact(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.25: "0.25", 9.994: "9.99", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 999.4: "999", 999.6: "1.00k", 1234: "1.23k",
		150_000: "150k", 999_999: "1.00M", 1e15: "1P", -2500: "-2.50k",
	} {
		if got := shortNumber(v); got != want {
			t.Errorf("%v is %q, not %q", v, got, want)
		}
	}
}

// counting is a store that counts the records it reads.
type counting struct {
	*memory.Store
	read int
}

// Read implements [backend.Backend].
func (c *counting) Read(ctx context.Context, keys []backend.Key, out []backend.Record) error {
	c.read += len(keys)
	return c.Store.Read(ctx, keys, out)
}

// crowd returns a limiter over a store with many buckets, and a clock.
func crowd(t *testing.T, n int) (*engine.Limiter, *counting, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	store := &counting{Store: memory.New(nil)}
	l, err := engine.New(store, &engine.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for i := range n {
		use(t, l, i, 1)
	}
	return l, store, &now
}

func use(t *testing.T, l *engine.Limiter, i int, n int64) {
	t.Helper()
	d, err := l.Allow(t.Context(), engine.Request{
		Entity: fmt.Sprintf("e%06d", i), Resource: "r", Consume: engine.Tokens{"n": n}, Limits: []engine.Limit{engine.PerDay("n", 1000)},
	})
	if err != nil || !d.Allowed {
		t.Fatal(d, err)
	}
}

// TestTopSamples reads many buckets, a few at a time: it finds all, reads known busy ones each time, and no reading exceeds the
// maximum.
func TestTopSamples(t *testing.T) {
	const buckets, most, busy = 20_000, 1000, 7_777
	l, store, now := crowd(t, buckets)
	s := newSampler(l, func() time.Time { return *now }, "", "", most)
	found := 0
	for tick := 1; tick <= 60; tick++ {
		*now = now.Add(2 * time.Second)
		for i := range 50 {
			use(t, l, busy+i, 4)
		}
		store.read = 0
		if err := s.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		if store.read > most+2 { // and the registry's
			t.Fatalf("reading %d took %d records", tick, store.read)
		}
		b := s.tracks[engine.BucketName{Entity: fmt.Sprintf("e%06d", busy), Resource: "r"}]
		if b == nil || b.rates == nil {
			continue
		}
		if found++; b.rates.acquires != 0.5 || b.rates.tokens[0] != 2 || b.rates.writes != 0.5 || !b.readAt.Equal(*now) {
			t.Fatalf("reading %d: %+v, read at %v", tick, b.rates, b.readAt)
		}
	}
	if len(s.tracks) != buckets || s.walks < 1 || s.complete || found < 20 {
		t.Errorf("%d buckets in %d rounds, complete: %v; the busy one was measured %d times", len(s.tracks), s.walks, s.complete, found)
	}
}

// tedious is a store in which a scan takes a second.
type tedious struct {
	*memory.Store
	now   *time.Time
	scans int
}

// Capabilities implements [backend.Backend].
func (s *tedious) Capabilities() backend.Capabilities {
	c := s.Store.Capabilities()
	c.Scan = func(ctx context.Context, namespace, after string, size int) ([]backend.Key, string, error) {
		s.scans++
		*s.now = s.now.Add(time.Second)
		return s.Store.Scan(ctx, namespace, after, size)
	}
	return c
}

// TestTopWalksATenthOfTheTime checks that slow scans take a tenth of the time, and that known buckets are read each time.
func TestTopWalksATenthOfTheTime(t *testing.T) {
	_, crowded, now := crowd(t, 5)
	store := &tedious{Store: crowded.Store, now: now}
	l, err := engine.New(store, &engine.Options{Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSampler(l, func() time.Time { return *now }, "", "", 100)
	for tick := range 30 {
		use(t, l, 2, 4)
		if err := s.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.read != 5 || !s.complete {
			t.Fatalf("reading %d took %d, complete: %v", tick, s.read, s.complete)
		}
		if b := s.tracks[engine.BucketName{Entity: "e000002", Resource: "r"}]; tick > 0 && (b.rates == nil || b.rates.acquires < 0.3) {
			t.Fatalf("reading %d: %+v", tick, b.rates)
		}
		*now = now.Add(2 * time.Second)
	}
	if store.scans < 5 || store.scans > 7 {
		t.Errorf("it walked %d times in a minute", store.scans)
	}
	use(t, l, 77, 4)
	if err := l.DeleteEntity(t.Context(), "e000001", nil); err != nil {
		t.Fatal(err)
	}
	s.walkAfter = now.Add(3 * time.Second)
	if err := s.sample(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.tracks) != 4 {
		t.Errorf("%d are known, of which one is gone", len(s.tracks))
	}
	for range 6 {
		if err := s.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		*now = now.Add(2 * time.Second)
	}
	if s.tracks[engine.BucketName{Entity: "e000077", Resource: "r"}] == nil || len(s.tracks) != 5 {
		t.Errorf("%d are known", len(s.tracks))
	}
}

// TestTopForgets checks that removed buckets disappear, and that a bucket that was created again counts from zero.
func TestTopForgets(t *testing.T) {
	l, _, now := crowd(t, 3)
	s := newSampler(l, func() time.Time { return *now }, "", "", 10)
	take := func() {
		t.Helper()
		*now = now.Add(10 * time.Second)
		if err := s.sample(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	take()
	for _, entity := range []string{"e000000", "e000001"} {
		if err := l.DeleteEntity(t.Context(), entity, nil); err != nil {
			t.Fatal(err)
		}
	}
	use(t, l, 1, 5)
	if err := l.ResetBucket(t.Context(), "e000002", "r"); err != nil {
		t.Fatal(err)
	}
	use(t, l, 2, 7)
	take()
	if len(s.tracks) != 2 {
		t.Errorf("%d buckets are known", len(s.tracks))
	}
	for entity, tokens := range map[string]float64{"e000001": 0.5, "e000002": 0.7} {
		if r := s.tracks[engine.BucketName{Entity: entity, Resource: "r"}].rates; r == nil || r.acquires != 0.1 || r.tokens[0] != tokens {
			t.Errorf("%s: %+v", entity, r)
		}
	}
}

// TestTopNames checks that long names continue in the next line of their bucket, or are shortened in the middle.
func TestTopNames(t *testing.T) {
	limit := func(name string) topLimitDoc {
		return topLimitDoc{limitDoc: limitDoc{Name: name, Capacity: 10}, Available: 5}
	}
	rows := topRows([]topBucketDoc{
		{Entity: "customer-with-a-long-name-17@example.com", Resource: "models/gpt-4", Limits: []topLimitDoc{limit("rpm"), limit("tpm")}},
		{Entity: "loadtest-01M8C24Q1FN13A5DARMSPKMZWB/17", Resource: "r", Limits: []topLimitDoc{limit("input-tokens-per-minute")}},
	})
	g := newTopLayout(80, rows)
	g.wrapNames(rows)
	var names []string
	for _, r := range rows {
		line := g.line(r.cells)
		if utf8.RuneCountInString(line) != 80 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
		names = append(names, strings.Join(strings.Fields(line)[:3], " "))
	}
	want := []string{"customer-with models/gpt-4 rpm", "-a-lon~le.com tpm ###...", "loadte~ZWB/17 r input-~minute"}
	if !slices.Equal(names, want) {
		t.Errorf("%q, not %q", names, want)
	}
}

// TestTopRates compares two readings of a bucket by hand.
func TestTopRates(t *testing.T) {
	state := func(acquires, version, used int64) *engine.BucketState {
		return &engine.BucketState{Acquires: acquires, Version: version, Limits: []engine.LimitState{{Used: used}}}
	}
	const ver = 1_800_000_000_000_000_000
	for _, c := range []struct {
		name                     string
		before, after            *engine.BucketState
		acquires, writes, tokens float64
	}{
		{"used", state(10, ver+20, 100), state(14, ver+26, 150), 2, 3, 25},
		{"refunded", state(10, ver+20, 100), state(10, ver+21, 60), 0, 0.5, -20},
		{"denied by a parent", state(1_000_000, ver+20, 100), state(999_998, ver+24, 98), -1, 2, -1},
		{"created again, by its version", state(1, ver, 100), state(4, ver+5e9, 106), 2, 2, 53},
		{"created by a clock that is behind", state(1, ver, 100), state(4, ver-5, 106), 2, 2, 53},
	} {
		r := ratesOf(c.before, c.after, 2*time.Second)
		if r.acquires != c.acquires || r.writes != c.writes || r.tokens[0] != c.tokens {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestTopLive(t *testing.T) {
	code, drawn := live(t, "--interval 10s", func(s *screen, keys io.Writer, sh *shell) {
		start := sh.now
		if f := s.frame(); !strings.Contains(f, "0 buckets, 0 empty") {
			t.Errorf("at first:\n%q", f)
		}
		for range 4 {
			sh.want(exitDone, fields("acquire ann gpt-4 -c rpm=2")...)
		}
		sh.want(exitDone, fields("acquire bob gpt-4 -c rpm=10")...)
		sh.now = start
		pass(10 * time.Second)
		f := s.frame()
		for _, line := range []string{
			"\x1b[1mzae-limiter top  05:06:18Z  namespace default of bolt://",
			"2 buckets, 1 empty  0.50 acquires/s  0.50 writes/s  by acquires\x1b[K\r\n\x1b[1mENTITY",
			"ann     gpt-4     rpm    ##....  30%  10      0.80   0.40        now\x1b[K", "\x1b[31mbob     gpt-4     rpm    ......   0%  10         1   0.10         4s\x1b[0m",
			"\x1b[24;1Hq quit  s sort",
		} {
			if !strings.Contains(f, line) {
				t.Errorf("after a reading there is no %q in:\n%q", line, f)
			}
		}
		fmt.Fprint(keys, "s")
		synctest.Wait()
		if f := s.frame(); !strings.Contains(f, "by tokens") || strings.Index(f, "bob") > strings.Index(f, "ann") {
			t.Errorf("sorted by tokens:\n%q", f)
		}
		s.lock.Lock()
		s.width, s.height = 44, 5
		s.lock.Unlock()
		pass(resizeEvery)
		if f := s.frame(); strings.Contains(f, "ann") || !strings.Contains(f, "\x1b[5;1H") || !strings.Contains(f, "bob") {
			t.Errorf("on a small screen:\n%q", f)
		}
		fmt.Fprint(keys, "q")
	})
	if code != exitDone || drawn.raw != 0 || !strings.HasPrefix(drawn.drawn.String(), screenOn) || !strings.HasSuffix(drawn.drawn.String(), screenOff) {
		t.Errorf("exit code %d, raw %d, ends with %q", code, drawn.raw, drawn.frame())
	}
}

func TestTopInterrupted(t *testing.T) {
	code, drawn := live(t, "", func(_ *screen, keys io.Writer, _ *shell) { fmt.Fprint(keys, "\x03") })
	if code != exitInterrupted || drawn.raw != 0 || !strings.HasSuffix(drawn.drawn.String(), screenOff) {
		t.Errorf("exit code %d, raw %d", code, drawn.raw)
	}
}

// TestTopOutlivesTrouble checks that the view reports an unavailable store, and recovers.
func TestTopOutlivesTrouble(t *testing.T) {
	code, _ := live(t, "--interval 10s --timeout 10ms", func(s *screen, keys io.Writer, sh *shell) {
		release := occupy(t, sh.file)
		pass(20 * time.Second)
		if f := s.frame(); !strings.Contains(f, "last reading 20s ago: ") || !strings.Contains(strings.ReplaceAll(f, lineEnd, ""), "in use by another process") {
			t.Errorf("while another process has the file:\n%q", f)
		}
		release()
		pass(20 * time.Second)
		if f := s.frame(); strings.Contains(f, "last reading") {
			t.Errorf("after it:\n%q", f)
		}
		fmt.Fprint(keys, "q")
	})
	if code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestTopRefuses(t *testing.T) {
	for line, says := range map[string]string{
		"top":                          "the live view needs a terminal: pass --once",
		"top -o json":                  "--output json needs --once",
		"top --once --sample 0":        "--sample 0 must be 1 to 100000",
		"top --once --limit=-1":        "--limit -1",
		"top --once --interval=-1s":    "--interval -1s",
		"top --interval 1ms":           "--interval 1ms must be at least 100ms",
		"top --once --sort size":       "--sort must be one of",
		"top --once --entity not\tone": `entity "not\tone": must be`,
	} {
		if r := newShell(t).want(exitUsage, fields(line)...); !strings.Contains(r.err, says) || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: %s", line, r.err)
		}
	}
}
