package main

import (
	"context"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

// loadtestCmd sends load.
type loadtestCmd struct {
	Rate     float64       `default:"100" placeholder:"N" help:"Acquires a second. Default: ${default}."`
	Duration time.Duration `default:"10s" placeholder:"DURATION" help:"How long, up to 1h. Default: ${default}."`
	WarmUp   time.Duration `default:"1s" placeholder:"DURATION" help:"Load before that, which counts for the bound only. Default: ${default}."`
	Arrivals string        `default:"poisson" enum:"poisson,even" placeholder:"HOW" help:"poisson (at random) or even. Default: ${default}."`
	Entities int           `default:"100" placeholder:"N" help:"Among so many entities. Default: ${default}."`
	Skew     float64       `default:"0" placeholder:"EXPONENT" help:"How unevenly they are chosen: the exponent of Zipf's law, above 1. Default: all alike."`
	Depth    int           `default:"1" placeholder:"N" help:"Buckets an acquire takes from: an entity's, and those of its parents, one for ten children; up to 3. Default: ${default}."`
	Resource string        `short:"r" default:"loadtest" placeholder:"NAME" help:"What they use. Default: ${default}."`
	Consume  []amountFlag  `short:"c" placeholder:"LIMIT=N" help:"How many tokens of which limit, for example rpm=1. Repeatable. Default: one of each."`
	Limit    []limitFlag   `short:"l" placeholder:"LIMIT" help:"Limit that holds, whatever is stored: name:rate[/period][:burst], for example rpm:100. Repeatable. Default: what is stored; on memory: rps:10/s."`
	Mode     string        `default:"lease" enum:"lease,allow" placeholder:"MODE" help:"lease (acquire and commit) or allow. Default: ${default}."`
	RollBack float64       `default:"0" placeholder:"SHARE" help:"Share of the leases that are rolled back, 0 to 1. Default: ${default}."`

	Processes int    `default:"1" placeholder:"N" help:"As from so many processes that know nothing of each other. Default: ${default}."`
	InFlight  int    `default:"256" placeholder:"N" help:"At most so many calls at once; what comes beyond waits, and that counts. Default: ${default}."`
	Seed      uint64 `default:"1" placeholder:"N" help:"Of all that is drawn: the same load for the same seed. Default: ${default}."`
	Plot      bool   `short:"p" default:"true" negatable:"" help:"Draw latency and admissions over time below the table."`
	Output
}

// Help says how it measures, what it leaves behind, and shows an example.
func (*loadtestCmd) Help() string {
	return `Acquires come by the clock, whether the ones before have been answered or not, and latency counts from the moment they were due. The tokens admitted less those given back are held against capacity + rate * T for each limit of each bucket and every interval; if that is broken, it exits with 6. (Limits that are changed meanwhile may break it.)

Without --store or --name the load is on memory:, or on the file in ZAE_LIMITER_STORE. A deployed table must be named on the command line: it is billed.

All entities are called loadtest-ID/N, ID being new each time, so that nobody else's buckets are touched. They are removed at the end; if that fails they expire 70 minutes after they are full. With --depth above 1 the entities and the limits of the parents, ten times those of a child, are stored for the time, which the audit shows. Usage that an aggregator has counted stays.

What it would cost is projected from the units that DynamoDB reports, on other stores from the writes that decisions took.

Examples:

    zae-limiter loadtest -l rpm:600 -l tpm:100000 -c rpm=1 -c tpm=50 --duration 5s
    zae-limiter loadtest -l rps:50/s --rate 200 --entities 1 --processes 8 --duration 3s -o json

On a deployed table, with the limits that are stored there:

    $ zae-limiter loadtest --name my-app --resource gpt-4 --rate 500 --skew 1.2`
}

// most of what one run may ask for.
const (
	mostDuration  = time.Hour
	mostArrivals  = 5_000_000
	mostInFlight  = 10_000
	mostProcesses = 100
	mostEntities  = 100_000
	mostFamily    = 1000 // entities where there are parents, each of which is stored
	mostDepth     = 3
)

func (c *loadtestCmd) check() error {
	arrivals := c.Rate * (c.Duration + c.WarmUp).Seconds()
	switch {
	case c.Rate <= 0 || c.Rate > 1e6:
		return usage("--rate %v: must be above 0, and 1000000 at most", c.Rate)
	case c.Duration <= 0 || c.Duration > mostDuration:
		return usage("--duration %v: must be above 0s, and %v at most", c.Duration, mostDuration)
	case c.WarmUp < 0 || c.WarmUp > mostDuration:
		return usage("--warm-up %v: must be 0s to %v", c.WarmUp, mostDuration)
	case arrivals > mostArrivals:
		return usage("--rate %v for %v are %.0f acquires, of %d at most", c.Rate, c.Duration+c.WarmUp, arrivals, mostArrivals)
	case c.Entities < 1 || c.Entities > mostEntities:
		return usage("--entities %d: must be 1 to %d", c.Entities, mostEntities)
	case c.Depth < 1 || c.Depth > mostDepth:
		return usage("--depth %d: must be 1 to %d", c.Depth, mostDepth)
	case c.Depth > 1 && c.Entities > mostFamily:
		return usage("--entities %d: must be %d at most with --depth, for they are stored", c.Entities, mostFamily)
	case c.Skew != 0 && (c.Skew <= 1 || c.Skew > 10):
		return usage("--skew %v: must be above 1, and 10 at most; or 0 for none", c.Skew)
	case c.RollBack < 0 || c.RollBack > 1:
		return usage("--roll-back %v: must be 0 to 1", c.RollBack)
	case c.RollBack > 0 && c.Mode != "lease":
		return usage("--roll-back needs --mode lease")
	case c.Processes < 1 || c.Processes > mostProcesses:
		return usage("--processes %d: must be 1 to %d", c.Processes, mostProcesses)
	case c.InFlight < 1 || c.InFlight > mostInFlight:
		return usage("--in-flight %d: must be 1 to %d", c.InFlight, mostInFlight)
	}
	return nil
}

// Run sends the load and reports.
func (c *loadtestCmd) Run(ctx context.Context, k *kong.Context, app *App) error {
	if err := c.check(); err != nil {
		return err
	}
	site, err := c.open(k, app)
	if err != nil {
		return err
	}
	defer app.store.Close() //nolint:errcheck // what was acknowledged is stored
	report, err := c.drive(ctx, app, site)
	if err != nil {
		return err
	}
	d := c.document(site, report)
	if err := app.print(c.Output.Output, d); err != nil {
		return err
	}
	if late := report.Late.P99; late > tooLate {
		app.say("the load itself was late, 1 %% of it by more than %v, which latency includes; try a lower --rate", brisk(late))
	}
	switch {
	case report.Bound.Broken > 0:
		return broken(report.Bound.Violations[0])
	case report.Interrupted:
		return ctx.Err()
	}
	return nil
}

// tooLate is when the load itself is in doubt.
const tooLate = 10 * time.Millisecond

// drive makes what is needed, sends the load, and removes what was made.
func (c *loadtestCmd) drive(ctx context.Context, app *App, site *loadSite) (report *load.Report, err error) {
	limiters, meter, err := c.limiters(app, site)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, l := range limiters {
			_ = l.Close()
		}
	}()
	admin := limiters[0]
	if err := c.plan(ctx, app, site, admin); err != nil {
		return nil, err
	}
	by := ""
	if site.keeps {
		by = ", by " + site.prefix + "/…"
	}
	app.say("%s on %s%s", c.summary(), site.url, by)
	defer func() {
		kept := context.WithoutCancel(ctx)
		if err := c.clean(kept, app, site, admin, report); err != nil {
			app.say("what %s/… have left could not be removed, and will expire: %s", site.prefix, describe(kept, err))
		}
	}()
	if err := c.populate(ctx, site, admin); err != nil {
		return nil, err
	}
	o := load.Options{
		Rate: c.Rate, Duration: c.Duration, WarmUp: c.WarmUp, Even: c.Arrivals == "even", Skew: c.Skew, Seed: c.Seed, InFlight: c.InFlight,
		Paths: site.paths, Levels: site.levels, Resource: c.Resource, Consume: site.consume, Override: limitsOf(c.Limit),
		Lease: c.Mode == "lease", RollBack: c.RollBack, Now: app.Now, Sleep: app.Sleep,
	}
	progress := newLoadProgress(app, c)
	o.Progress = progress.show
	report, err = load.Run(ctx, limiters, meter, o)
	progress.end()
	return report, err
}

// limiters are so many processes.
func (c *loadtestCmd) limiters(app *App, site *loadSite) ([]*engine.Limiter, *load.Meter, error) {
	meter := new(load.Meter)
	limiters := make([]*engine.Limiter, c.Processes)
	for i := range limiters {
		o := app.engineOptions()
		o.CacheSize, o.Observer = min(4*c.Entities, mostEntities)+16, meter
		l, err := engine.New(site.store, o)
		if err != nil {
			return nil, nil, err
		}
		limiters[i] = l
	}
	return limiters, meter, nil
}
