package engine_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine"
)

func TestParseLimit(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]engine.Limit{
		"rpm:100":                       engine.PerMinute("rpm", 100),
		"rpm:100/min":                   engine.PerMinute("rpm", 100),
		"rpm:100/minutes":               engine.PerMinute("rpm", 100),
		"rpm:100/1m":                    engine.PerMinute("rpm", 100),
		"tpm:10000/min:15000":           engine.PerMinute("tpm", 10_000).WithBurst(15_000),
		"tpm:10000:15000":               engine.PerMinute("tpm", 10_000).WithBurst(15_000),
		"tpm:10:3":                      engine.PerMinute("tpm", 10).WithBurst(3),
		"calls:5/30s":                   engine.Every("calls", 5, 30*time.Second),
		"calls:5/s":                     engine.PerSecond("calls", 5),
		"calls:5/sec":                   engine.PerSecond("calls", 5),
		"calls:5/seconds":               engine.PerSecond("calls", 5),
		"calls:5/hour":                  engine.PerHour("calls", 5),
		"calls:5/12hours":               engine.Every("calls", 5, 12*time.Hour),
		"calls:5/day":                   engine.PerDay("calls", 5),
		"calls:5/3650day":               engine.Every("calls", 5, 3650*day),
		"calls:5/5min":                  engine.Every("calls", 5, 5*time.Minute),
		"calls:5/1m30s":                 engine.Every("calls", 5, 90*time.Second),
		"calls:5/1.5s":                  engine.Every("calls", 5, 1500*time.Millisecond),
		"calls:5/1ms":                   engine.Every("calls", 5, time.Millisecond),
		"window:1000000000000000/day:1": engine.PerDay("window", 1e15).WithBurst(1),
		"a_b.c-1:1":                     engine.PerMinute("a_b.c-1", 1),
	} {
		got, err := engine.ParseLimit(s)
		must(t, err)
		equal(t, s, got, want)
	}
}

func TestParseLimitRefuses(t *testing.T) {
	for _, s := range []string{
		"", "rpm", ":", ":5", "rpm:", "rpm:x", "rpm:1.5", "rpm:+5", "rpm:-5", "rpm:0", "rpm: 5", "rpm:1_000", "rpm:1e3",
		"rpm:1000000000000001", "rpm:9223372036854775808", "rpm:5:", "rpm:5:0", "rpm:5:x", "rpm:5:5:5", "rpm:5/min:5/min",
		"rpm:5/", "rpm:5/x", "rpm:5/ss", "rpm:5/5", "rpm:5/0min", "rpm:5/-5min", "rpm:5/0s", "rpm:5/3651day", "rpm:5/99999999999999999999day",
		"rpm:5/999us", "rpm:5/min/min", "1rpm:5", "r m:5", "rpm/:5", strings.Repeat("r", 65) + ":5",
	} {
		if l, err := engine.ParseLimit(s); err == nil {
			t.Errorf("%q was read as %v", s, l)
		} else if bad := new(*engine.ValidationError); !asValidation(err, bad) {
			t.Errorf("%q: %v is no ValidationError", s, err)
		}
	}
}

func TestLimitText(t *testing.T) {
	for want, l := range map[string]engine.Limit{
		"rpm:100/min":         engine.PerMinute("rpm", 100),
		"rpm:100/min:5":       engine.PerMinute("rpm", 100).WithBurst(5),
		"a:1/s":               engine.PerSecond("a", 1),
		"a:1/hour":            engine.PerHour("a", 1),
		"a:1/day":             engine.PerDay("a", 1),
		"a:1/2day":            engine.Every("a", 1, 48*time.Hour),
		"a:1/90s":             engine.Every("a", 1, 90*time.Second),
		"a:1/1.5s":            engine.Every("a", 1, 1500*time.Millisecond),
		"a:1/1h0m0.000001s:2": engine.Every("a", 1, time.Hour+time.Microsecond).WithBurst(2),
	} {
		equal(t, "text", l.String(), want)
	}
}

// Parsing the text of a valid limit returns the limit.
func TestLimitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]int64{1, 1e6, 1e9, 60e9, 3600e9, 86400e9}).Draw(t, "unit")
		const least, most = int64(time.Millisecond), int64(3650 * 24 * time.Hour)
		l := engine.Limit{
			Name:         rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9_.\-]{0,63}`).Draw(t, "name"),
			Capacity:     rapid.Int64Range(1, 1e15).Draw(t, "capacity"),
			RefillAmount: rapid.Int64Range(1, 1e15).Draw(t, "amount"),
			RefillPeriod: time.Duration(unit * rapid.Int64Range((least+unit-1)/unit, most/unit).Draw(t, "period")),
		}
		got, err := engine.ParseLimit(l.String())
		if err != nil || got != l {
			t.Fatalf("%+v is written %s and read %+v, %v", l, l, got, err)
		}
	})
}
