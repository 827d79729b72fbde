package main

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/load"
	"github.com/zeroae/zae-limiter-go/engine"
)

// loadProcessCmd is the hidden command that `loadtest --processes N` starts N times. On its standard input it gets a loadSpec and,
// when all processes are ready, a line that starts the load; the end of the input stops it. Its standard output is loadMessages.
type loadProcessCmd struct{}

// loadSpec says what one process of a load test has to do.
type loadSpec struct {
	Options  load.Options
	Limiters int
	Entities int
	Prefetch bool
}

// loadMessage is a line that a process of a load test prints. It prints one each second at least while it sends load.
type loadMessage struct {
	Ready    bool           `json:"ready,omitempty"`
	Progress *load.Progress `json:"progress,omitempty"`
	Events   []load.Event   `json:"events,omitempty"`
	Part     *load.Part     `json:"part,omitempty"` // the last message has it, or Failed, or both if every call failed
	Failed   string         `json:"failed,omitempty"`
	Code     int            `json:"code,omitempty"` // the exit code that belongs to Failed
}

// Run sends the load that standard input describes.
func (c *loadProcessCmd) Run(ctx context.Context, app *App) error {
	in, out := json.NewDecoder(app.In), json.NewEncoder(app.Out)
	var spec loadSpec
	if err := in.Decode(&spec); err != nil {
		return usageErrorf("loadtest-process is a part of another command: use loadtest --processes N")
	}
	report, events, err := c.send(ctx, app, &spec, in, out)
	last := loadMessage{Events: events}
	if report != nil {
		part, failed := report.Part()
		if err == nil {
			err = failed
		}
		last.Part = part
	}
	if err != nil {
		last.Failed, last.Code = describe(ctx, err), exitCode(ctx, err)
	}
	if failed := out.Encode(last); failed != nil {
		return failed
	}
	return err
}

// send opens the store, waits for the start, and sends the load.
func (c *loadProcessCmd) send(ctx context.Context, app *App, spec *loadSpec, in *json.Decoder, out *json.Encoder) (*load.Report, []load.Event, error) {
	if err := app.selectStore(); err != nil {
		return nil, nil, err
	}
	defer app.store.Close() //nolint:errcheck // acknowledged writes are stored already
	driver, err := app.store.openOnce()
	if err != nil {
		return nil, nil, err
	}
	limiters, meter, err := newLoadLimiters(app, driver, spec.Limiters, spec.Entities, spec.Prefetch)
	if err != nil {
		return nil, nil, err
	}
	defer closeAll(limiters)
	var start struct{}
	if err := out.Encode(loadMessage{Ready: true}); err != nil {
		return nil, nil, err
	}
	if in.Decode(&start) != nil {
		return nil, nil, context.Canceled // the command has ended
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_ = in.Decode(&start) // returns when the input ends
		stop()
	}()
	o, lock := spec.Options, sync.Mutex{}
	o.Now, o.Sleep, o.Journal = app.Now, app.Sleep, new(load.Journal)
	o.Progress = func(p load.Progress) {
		lock.Lock()
		defer lock.Unlock()
		_ = out.Encode(loadMessage{Progress: &p, Events: o.Journal.Take()}) // if nobody reads, the input ends, too
	}
	report, err := load.Run(ctx, limiters, meter, o)
	return report, o.Journal.Take(), err
}

func closeAll(limiters []*engine.Limiter) {
	for _, l := range limiters {
		_ = l.Close()
	}
}
