package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// localUpCmd starts DynamoDB Local.
type localUpCmd struct {
	Port    int    `default:"8000" placeholder:"PORT" from:"ZAE_LIMITER_LOCAL_PORT" help:"Port to listen on. Default: ${default}."`
	Runtime string `default:"auto" enum:"auto,docker,java" placeholder:"RUNTIME" help:"docker, java or auto: Docker, and Java where that fails. Default: ${default}."`
	Image   string `default:"amazon/dynamodb-local:3.1.0" placeholder:"IMAGE" help:"What Docker runs. Default: ${default}."`
}

// Help shows an example.
func (*localUpCmd) Help() string {
	return `It starts DynamoDB Local, AWS's emulator of DynamoDB, with a table for limits, and prints the lines by which a shell's next commands use it. Docker runs it, or Java, for which Maven fetches it once. All is kept in memory, and gone with "local down".

With Docker only this machine reaches it. With Java it listens on all addresses: DynamoDB Local has no flag for another.

Where it runs already, the table is created if it is not there.

Examples:

    zae-limiter local up
    zae-limiter local up --name my-app

In a shell, to start it and use it at once:

    eval "$(zae-limiter local up)"`
}

// Run starts it and prints how to use it.
func (c *localUpCmd) Run(ctx context.Context, app *App) error {
	if c.Port < 1 || c.Port > 65535 {
		return usage("--port %d: must be between 1 and 65535", c.Port)
	}
	name := app.Name
	if name == "" {
		name = defaultName
	}
	if err := dynamo.CheckName(name); err != nil {
		return usage("--name %s", unprefixed(err.Error()))
	}
	place, err := app.localPlace(ctx)
	if err != nil {
		return err
	}
	defer place.unlock()
	l, err := place.load()
	if err != nil {
		return err
	}
	switch running := l != nil && l.runs(ctx); {
	case running && l.Port != c.Port:
		return fmt.Errorf("%w on port %d; use that, or end it first: zae-limiter local down", errLocalRuns, l.Port)
	case !running:
		if l, err = c.start(ctx, app, place); err != nil {
			return err
		}
	}
	if err := createTable(ctx, l, name); err != nil {
		return fmt.Errorf("%w; DynamoDB Local runs, end it with: zae-limiter local down", err)
	}
	l.Table = name
	if err := place.save(l); err != nil {
		return err
	}
	app.say("DynamoDB Local runs on %s in %s, with table %s; end it with: zae-limiter local down", l.endpoint(), l.where(), l.Table)
	_, err = fmt.Fprintf(app.Out, "export ZAE_LIMITER_NAME=%s\nexport AWS_ENDPOINT_URL_DYNAMODB=%s\nexport AWS_REGION=${AWS_REGION:-%s}\n",
		l.Table, l.endpoint(), localRegion)
	return err
}

// localRegion is as good as any other: the emulator has one database for all.
const localRegion = "us-east-1"

// createTable makes the table unless it is there.
func createTable(ctx context.Context, l *local, name string) error {
	o := &dynamo.Options{Region: localRegion, Endpoint: l.endpoint()}
	s, err := dynamo.Open(ctx, name, o)
	if err == nil {
		return s.Close()
	}
	if !errors.Is(err, dynamo.ErrNotDeployed) {
		return err
	}
	return dynamo.CreateTable(ctx, name, o)
}

// localDownCmd ends it.
type localDownCmd struct{}

// Help shows an example.
func (*localDownCmd) Help() string {
	return `It ends what "local up" has started, and nothing else, and returns when the port is free again. The tables are gone.

Example:

    zae-limiter local down`
}

// Run ends it.
func (*localDownCmd) Run(ctx context.Context, app *App) error {
	place, err := app.localPlace(ctx)
	if err != nil {
		return err
	}
	defer place.unlock()
	l, err := place.load()
	if err != nil {
		return err
	}
	if l == nil {
		app.say("nothing to end: DynamoDB Local was not started by: zae-limiter local up")
		return nil
	}
	running, ended := l.runs(ctx), "has ended already"
	if running {
		if err := l.end(ctx); err != nil {
			return err
		}
		ended = "ended"
	}
	if err := place.forget(); err != nil {
		return err
	}
	if running {
		if err := vacated(ctx, pause.For, l.Port); err != nil {
			return err
		}
	}
	app.say("DynamoDB Local on %s in %s %s", l.endpoint(), l.where(), ended)
	return nil
}

// localStatusCmd shows it.
type localStatusCmd struct{ Output }

// Help shows an example.
func (*localStatusCmd) Help() string {
	return `It shows whether what "local up" has started runs, and where. If that does not answer, it exits with 5.

Example:

    zae-limiter local status`
}

// Run looks for it.
func (c *localStatusCmd) Run(ctx context.Context, app *App) error {
	place, err := app.localPlace(ctx)
	if err != nil {
		return err
	}
	defer place.unlock()
	l, err := place.load()
	if err != nil {
		return err
	}
	if l == nil || !l.runs(ctx) {
		return app.print(c.Output.Output, localDoc{})
	}
	d := localDoc{Running: true, Runtime: &l.Runtime, Endpoint: orNull(l.endpoint()), Table: orNull(l.Table), Container: orNull(l.Container)}
	if l.PID != 0 {
		d.PID, d.Log = &l.PID, &l.Log
	}
	unanswered := l.answers(ctx)
	d.Reachable = unanswered == nil
	if err := app.print(c.Output.Output, d); err != nil || unanswered == nil {
		return err
	}
	return &storeError{unanswered}
}

// localDoc is DynamoDB Local as "local up" has started it.
type localDoc struct {
	Running   bool    `json:"running"`
	Reachable bool    `json:"reachable"`
	Runtime   *string `json:"runtime"`
	Endpoint  *string `json:"endpoint"`
	Table     *string `json:"table"`
	Container *string `json:"container_id"`
	PID       *int    `json:"pid"`
	Log       *string `json:"log"`
}

func (d localDoc) table() table {
	pid := ""
	if d.PID != nil {
		pid = strconv.Itoa(*d.PID)
	}
	return table{rows: [][]string{
		{"running", yesNo(d.Running)},
		{"reachable", yesNo(d.Reachable)},
		{"runtime", text(d.Runtime)},
		{"endpoint", text(d.Endpoint)},
		{"table", text(d.Table)},
		{"container", text(d.Container)},
		{"process", pid},
		{"log", text(d.Log)},
	}}
}
