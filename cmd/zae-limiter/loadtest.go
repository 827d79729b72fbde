package main

import (
	"context"
	"math"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

// loadtestCmd sends load.
type loadtestCmd struct {
	Rate     float64       `default:"100" placeholder:"N" help:"Acquires per second. Default: ${default}."`
	Duration time.Duration `default:"10s" placeholder:"DURATION" help:"Duration of the load, up to 1h. Default: ${default}."`
	WarmUp   time.Duration `default:"1s" placeholder:"DURATION" help:"Load before that, which is not measured, but counts for the check of the limits. Default: ${default}."`
	Arrivals string        `default:"poisson" enum:"poisson,even" placeholder:"HOW" help:"Distribution of arrivals: poisson (random) or even. Default: ${default}."`
	Entities int           `default:"100" placeholder:"N" help:"Number of entities. Default: ${default}."`
	Skew     float64       `default:"0" placeholder:"EXPONENT" help:"Exponent of the Zipf distribution by which entities are chosen, above 1. Default: uniform."`
	Depth    int           `default:"1" placeholder:"N" help:"Number of buckets that an acquire charges: the entity's, and those of its parents, up to 3. A parent has ten children. Default: ${default}."`
	Resource string        `short:"r" default:"loadtest" placeholder:"NAME" help:"Resource. Default: ${default}."`
	Consume  []amountFlag  `short:"c" placeholder:"LIMIT=N" help:"Tokens to consume of a limit, for example rpm=1. Repeatable. Default: one of each."`
	Limit    []limitFlag   `short:"l" placeholder:"LIMIT" help:"Limit to use instead of the configured ones: name:rate[/period][:burst], for example rpm:100. Repeatable. Default: the configured limits; in memory, rps:10/s."`
	Mode     string        `default:"lease" enum:"lease,allow" placeholder:"MODE" help:"Call to measure: lease (acquire and commit) or allow. Default: ${default}."`
	RollBack float64       `default:"0" placeholder:"SHARE" help:"Share of the leases that are rolled back, 0 to 1. Default: ${default}."`

	Processes int           `default:"1" placeholder:"N" help:"Number of processes that share the load, up to 100. More than one need a table in DynamoDB. Default: ${default}."`
	Limiters  int           `default:"1" placeholder:"N" help:"Number of limiters in each process, which share nothing but the store. Default: ${default}."`
	Prefetch  bool          `help:"Let the limiters buy tokens of hot buckets in advance. The check then allows each limit one second of its rate more."`
	InFlight  int           `default:"256" placeholder:"N" help:"Maximum number of concurrent calls of all processes; further arrivals wait, and latency includes that wait. Default: ${default}."`
	Seed      uint64        `default:"1" placeholder:"N" help:"Seed of the random numbers: equal seeds give equal loads. Default: ${default}."`
	Patience  time.Duration `default:"30s" hidden:"" placeholder:"DURATION" help:"How long a process may report nothing. Default: ${default}."`
	Plot      bool          `short:"p" default:"true" negatable:"" help:"Draw latency and admissions over time below the table."`
	Output
}

// Maximum values of flags.
const (
	maxDuration       = time.Hour
	maxArrivals       = 5_000_000
	maxInFlight       = 10_000
	maxProcesses      = 100
	maxEntities       = 100_000
	maxStoredEntities = 1000 // entities with parents, each of which is stored
	maxDepth          = 3
)

func (c *loadtestCmd) validate() error {
	arrivals := c.Rate * (c.Duration + c.WarmUp).Seconds()
	switch {
	case math.IsNaN(c.Rate) || c.Rate <= 0 || c.Rate > 1e6:
		return usageErrorf("--rate %v must be above 0 and at most 1000000", c.Rate)
	case c.Duration <= 0 || c.Duration > maxDuration:
		return usageErrorf("--duration %v must be above 0s and at most %v", c.Duration, maxDuration)
	case c.WarmUp < 0 || c.WarmUp > maxDuration:
		return usageErrorf("--warm-up %v must be 0s to %v", c.WarmUp, maxDuration)
	case arrivals > maxArrivals:
		return usageErrorf("--rate %v for %v is %.0f acquires: at most %d are possible", c.Rate, c.Duration+c.WarmUp, arrivals, maxArrivals)
	case c.Entities < 1 || c.Entities > maxEntities:
		return usageErrorf("--entities %d must be 1 to %d", c.Entities, maxEntities)
	case c.Depth < 1 || c.Depth > maxDepth:
		return usageErrorf("--depth %d must be 1 to %d", c.Depth, maxDepth)
	case c.Depth > 1 && c.Entities > maxStoredEntities:
		return usageErrorf("--entities %d must be at most %d with --depth, since they are stored", c.Entities, maxStoredEntities)
	case c.Skew != 0 && (math.IsNaN(c.Skew) || c.Skew <= 1 || c.Skew > 10):
		return usageErrorf("--skew %v must be above 1 and at most 10, or 0 for a uniform distribution", c.Skew)
	case math.IsNaN(c.RollBack) || c.RollBack < 0 || c.RollBack > 1:
		return usageErrorf("--roll-back %v must be 0 to 1", c.RollBack)
	case c.RollBack > 0 && c.Mode != "lease":
		return usageErrorf("--roll-back needs --mode lease")
	case c.Processes < 1 || c.Processes > maxProcesses:
		return usageErrorf("--processes %d must be 1 to %d", c.Processes, maxProcesses)
	case c.Limiters < 1 || c.Limiters > maxProcesses:
		return usageErrorf("--limiters %d must be 1 to %d", c.Limiters, maxProcesses)
	case c.Patience <= 0:
		return usageErrorf("--patience %v must be above 0s", c.Patience)
	case c.InFlight < 1 || c.InFlight > maxInFlight:
		return usageErrorf("--in-flight %d must be 1 to %d", c.InFlight, maxInFlight)
	}
	return nil
}

// Run sends the load and reports.
func (c *loadtestCmd) Run(ctx context.Context, k *kong.Context, app *App) error {
	if err := c.validate(); err != nil {
		return err
	}
	target, err := c.openTarget(k, app)
	if err != nil {
		return err
	}
	defer app.store.Close() //nolint:errcheck // acknowledged writes are stored already
	report, err := c.sendLoad(ctx, app, target)
	if err != nil {
		return err
	}
	d := c.document(target, report)
	if err := app.print(c.Output.Output, d); err != nil {
		return err
	}
	if late := report.Late.P99; late > lateThreshold {
		app.logf("1 %% of the acquires started more than %v late because this machine is too slow, which the latency includes: try a lower --rate", roundDuration(late))
	}
	switch {
	case report.Bound.Broken > 0:
		return boundError(report.Bound.Violations[0])
	case report.Interrupted:
		return ctx.Err()
	}
	return nil
}

// lateThreshold is the delay of starts above which the measurement is doubtful.
const lateThreshold = 10 * time.Millisecond

// sendLoad creates the entities, sends the load, and deletes the entities.
func (c *loadtestCmd) sendLoad(ctx context.Context, app *App, target *loadTarget) (report *load.Report, err error) {
	limiters, meter, err := newLoadLimiters(app, target.store, c.Limiters, c.Entities, c.Prefetch)
	if err != nil {
		return nil, err
	}
	defer closeAll(limiters)
	admin := limiters[0]
	if err := c.resolveLimits(ctx, app, target, admin); err != nil {
		return nil, err
	}
	names := ""
	if target.durable {
		names = ", named " + target.prefix + "/…"
	}
	app.logf("%s on %s%s", c.summary(), target.url, names)
	defer func() {
		uninterrupted := context.WithoutCancel(ctx)
		if err := c.clean(uninterrupted, app, target, admin, report); err != nil {
			app.logf("the buckets of %s/… could not be removed and will expire: %s", target.prefix, describe(uninterrupted, err))
		}
	}()
	if err := c.populate(ctx, target, admin); err != nil {
		return nil, err
	}
	o := c.options(app, target)
	progress := &loadProgress{app: app, cmd: c, live: app.Terminal(app.Err), every: max(10*time.Second, c.Duration/10)}
	o.Progress = progress.show
	if c.Processes > 1 {
		report, err = c.runProcesses(ctx, app, o)
	} else {
		report, err = load.Run(ctx, limiters, meter, o)
	}
	progress.end()
	return report, err
}

// options returns those of the whole load.
func (c *loadtestCmd) options(app *App, target *loadTarget) load.Options {
	return load.Options{
		Rate: c.Rate, Duration: c.Duration, WarmUp: c.WarmUp, Even: c.Arrivals == "even", Skew: c.Skew, Seed: c.Seed, InFlight: c.InFlight,
		Paths: target.paths, Levels: target.levels, Resource: c.Resource, Consume: target.consume, Override: limitsOf(c.Limit),
		Lease: c.Mode == "lease", RollBack: c.RollBack, Excess: c.excess(), Now: app.Now, Sleep: app.Sleep,
	}
}

// prefetchExcess is what prefetch may admit beyond a limit, as time of its rate: PrefetchOptions.MaxAge.
const prefetchExcess = time.Second

// excess is what the limits may admit beyond capacity + rate·T, as time of their rate.
func (c *loadtestCmd) excess() time.Duration {
	if c.Prefetch {
		return prefetchExcess
	}
	return 0
}

// newLoadLimiters returns the limiters of a process, and the meter that observes them.
func newLoadLimiters(app *App, driver backend.Backend, n, entities int, prefetch bool) ([]*engine.Limiter, *load.Meter, error) {
	meter := new(load.Meter)
	limiters := make([]*engine.Limiter, n)
	for i := range limiters {
		o := app.engineOptions()
		o.CacheSize, o.Observer = min(4*entities, maxEntities)+16, meter
		if prefetch {
			o.Prefetch = &engine.PrefetchOptions{MaxAge: prefetchExcess}
		}
		l, err := engine.New(driver, o)
		if err != nil {
			return nil, nil, err
		}
		limiters[i] = l
	}
	return limiters, meter, nil
}
