package main

import (
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/prices"
)

// loadDoc is the result of a load test.
type loadDoc struct {
	Store      string            `json:"store"`
	Prefix     string            `json:"entity_prefix"`
	Resource   string            `json:"resource"`
	Started    moment            `json:"started_at"`
	Rate       float64           `json:"rate_per_second"`
	Duration   float64           `json:"duration_seconds"`
	WarmUp     float64           `json:"warm_up_seconds"`
	Arrivals   string            `json:"arrivals"`
	Entities   int               `json:"entities"`
	Skew       float64           `json:"skew"`
	Depth      int               `json:"depth"`
	Processes  int               `json:"processes"`
	Limiters   int               `json:"limiters"`
	Prefetch   bool              `json:"prefetch"`
	Mode       string            `json:"mode"`
	Seed       uint64            `json:"seed"`
	Limits     []limitDoc        `json:"limits"`
	Consume    map[string]int64  `json:"consume"`
	Elapsed    float64           `json:"elapsed_seconds"`
	Completed  bool              `json:"completed"`
	Acquires   load.Counts       `json:"acquires"`
	RolledBack int64             `json:"rolled_back"`
	Errors     []load.ErrorCount `json:"errors"`
	Latency    loadTimes         `json:"latency_ms"`
	Late       loadTimes         `json:"begun_late_ms"`
	Cost       loadCost          `json:"cost"`
	Bound      loadBound         `json:"bound"`
	Series     []loadSlot        `json:"series"`

	limits []engine.Limit
	plots  string
}

// loadTimes is a distribution of durations, in milliseconds.
type loadTimes struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`

	distribution load.Distribution
}

// loadCost is the load per acquire on the store, and its cost.
type loadCost struct {
	Writes     float64  `json:"writes_per_acquire"`
	Requests   *float64 `json:"requests_per_acquire"`
	WriteUnits float64  `json:"write_units_per_acquire"`
	ReadUnits  float64  `json:"read_units_per_acquire"`
	Estimated  bool     `json:"estimated"`
	Monthly    float64  `json:"monthly_usd"`
	Prices     priceDoc `json:"prices"`
}

// priceDoc lists the prices in the calculation.
type priceDoc struct {
	Region string  `json:"region"`
	Month  string  `json:"month"`
	Write  float64 `json:"million_write_units_usd"`
	Read   float64 `json:"million_read_units_usd"`
}

// loadBound says whether the limits held.
type loadBound struct {
	Kept       bool            `json:"kept"`
	Buckets    int             `json:"buckets"`
	Limits     int             `json:"limits"`
	Excess     float64         `json:"excess_seconds"`
	Share      float64         `json:"largest_share"`
	Broken     int             `json:"broken"`
	Violations []loadViolation `json:"violations"`
}

// loadViolation describes a limit that admitted too much.
type loadViolation struct {
	Entity   string `json:"entity_id"`
	Resource string `json:"resource"`
	limitDoc
	From     moment `json:"from"`
	To       moment `json:"to"`
	Admitted int64  `json:"admitted_tokens"`
	Allowed  int64  `json:"allowed_tokens"`
}

// loadSlot is a time slice of the test.
type loadSlot struct {
	At float64 `json:"at_seconds"`
	load.Counts
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

// boundError returns the error for a limit that admitted too much.
func boundError(v load.Violation) error {
	return fmt.Errorf("%w: %v of %s on %s admitted %d tokens in %v, at most %d are allowed",
		errBoundBroken, v.Limit, v.Entity, v.Resource, v.Admitted, v.To.Sub(v.From), v.Allowed)
}

func (c *loadtestCmd) document(target *loadTarget, r *load.Report) loadDoc {
	d := loadDoc{
		Store: target.url, Prefix: target.prefix, Resource: c.Resource, Started: moment{r.Start}, Rate: c.Rate,
		Duration: c.Duration.Seconds(), WarmUp: c.WarmUp.Seconds(), Arrivals: c.Arrivals, Entities: c.Entities, Skew: c.Skew,
		Depth: c.Depth, Processes: c.Processes, Limiters: c.Limiters, Prefetch: c.Prefetch, Mode: c.Mode, Seed: c.Seed, Limits: limitDocsOf(target.levels[0]), limits: target.levels[0], Consume: target.consume,
		Elapsed: rounded(r.Elapsed.Seconds()), Completed: !r.Interrupted, Acquires: r.Counts, RolledBack: r.RolledBack,
		Errors: nonNil(r.Errors), Latency: timesOf(r.Latency), Late: timesOf(r.Late), Cost: c.costOf(r), Bound: c.boundOf(&r.Bound),
	}
	for _, s := range r.Slots {
		d.Series = append(d.Series, loadSlot{rounded(s.At.Seconds()), s.Counts, milliseconds(s.P50), milliseconds(s.P99)})
	}
	if c.Plot && c.Output.Output == formatTable {
		d.plots = loadPlots(r)
	}
	return d
}

func timesOf(d load.Distribution) loadTimes {
	return loadTimes{
		milliseconds(d.P50), milliseconds(d.P90), milliseconds(d.P99), milliseconds(d.P999), milliseconds(d.Max), milliseconds(d.Mean), d,
	}
}

func milliseconds(d time.Duration) float64 { return rounded(float64(d) / float64(time.Millisecond)) }

// costOf projects the units that the store reported to a month. If the store reports none, it assumes one unit per write.
func (c *loadtestCmd) costOf(r *load.Report) loadCost {
	n := max(float64(r.Cost.Decisions), 1)
	p := prices.OnDemand
	d := loadCost{
		Writes: rounded(float64(r.Cost.Writes) / n), WriteUnits: r.Cost.WriteUnits / n, ReadUnits: r.Cost.ReadUnits / n,
		Prices: priceDoc{p.Region, p.Month, p.Write, p.Read},
	}
	if r.Cost.Requests > 0 {
		d.Requests = new(rounded(float64(r.Cost.Requests) / n))
	} else {
		d.Estimated = true
		d.WriteUnits = float64(r.Cost.Writes+r.RolledBack*int64(c.Depth)) / n
	}
	month := c.Rate * prices.SecondsPerMonth
	d.Monthly = p.Dollars(d.WriteUnits*month, d.ReadUnits*month)
	d.Monthly, d.WriteUnits, d.ReadUnits = rounded(d.Monthly), rounded(d.WriteUnits), rounded(d.ReadUnits)
	return d
}

// boundOf describes the check of the limits.
func (c *loadtestCmd) boundOf(b *load.Bound) loadBound {
	violations := mapSlice(b.Violations, func(v load.Violation) loadViolation {
		return loadViolation{v.Entity, v.Resource, limitDocOf(v.Limit), moment{v.From}, moment{v.To}, v.Admitted, v.Allowed}
	})
	return loadBound{b.Broken == 0, b.Buckets, b.Limits, c.excess().Seconds(), rounded(b.Share), b.Broken, violations}
}

// summary describes the load.
func (c *loadtestCmd) summary() string {
	s := fmt.Sprintf("%s acquires per second for %v by %s", shortNumber(c.Rate), c.Duration, countOf(c.Entities, "entity", "entities"))
	switch {
	case c.Processes > 1 && c.Limiters > 1:
		s += fmt.Sprintf(" from %d processes of %d limiters", c.Processes, c.Limiters)
	case c.Processes > 1:
		s += fmt.Sprintf(" from %d processes", c.Processes)
	case c.Limiters > 1:
		s += fmt.Sprintf(" from %d limiters", c.Limiters)
	}
	return s
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(int64(n)) + " " + many
}
