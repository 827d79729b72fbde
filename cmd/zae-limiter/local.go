package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// localUpCmd starts DynamoDB Local.
type localUpCmd struct {
	Port    int    `default:"8000" placeholder:"PORT" from:"ZAE_LIMITER_LOCAL_PORT" help:"Port to listen on. Default: ${default}."`
	Runtime string `default:"auto" enum:"auto,docker,java" placeholder:"RUNTIME" help:"docker, java or auto: Docker, or Java if that fails. Default: ${default}."`
	Image   string `default:"amazon/dynamodb-local:3.1.0" placeholder:"IMAGE" help:"Docker image. Default: ${default}."`
}

// Run starts it and prints how to use it.
func (c *localUpCmd) Run(ctx context.Context, app *App) error {
	if c.Port < 1 || c.Port > 65535 {
		return usageErrorf("--port %d must be between 1 and 65535", c.Port)
	}
	name := cmp.Or(app.Name, defaultName)
	if err := dynamo.CheckName(name); err != nil {
		return usageErrorf("--name %s", withoutPrefix(err.Error()))
	}
	state, l, err := app.lockLocalState(ctx)
	if err != nil {
		return err
	}
	defer state.unlock()
	switch running := l != nil && l.isRunning(ctx); {
	case running && l.Port != c.Port:
		return fmt.Errorf("%w on port %d: use that one, or stop it first: zae-limiter local down", errLocalRunning, l.Port)
	case !running:
		if l, err = c.start(ctx, app, state); err != nil {
			return err
		}
	}
	if err := createTable(ctx, l, name); err != nil {
		return fmt.Errorf("%w; DynamoDB Local is running; to stop it: zae-limiter local down", err)
	}
	l.Table = name
	if err := state.save(l); err != nil {
		return err
	}
	app.logf("DynamoDB Local runs on %s in %s, with table %s; to stop it: zae-limiter local down", l.endpoint(), l.location(), l.Table)
	_, err = fmt.Fprintf(app.Out, "export ZAE_LIMITER_NAME=%s\nexport AWS_ENDPOINT_URL_DYNAMODB=%s\nexport AWS_REGION=${AWS_REGION:-%s}\n",
		l.Table, l.endpoint(), localRegion)
	return err
}

// localRegion is arbitrary: the emulator has one database for all regions.
const localRegion = "us-east-1"

// createTable creates the table unless it exists.
func createTable(ctx context.Context, l *localInstance, name string) error {
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

// localDownCmd stops DynamoDB Local.
type localDownCmd struct{}

func (*localDownCmd) Run(ctx context.Context, app *App) error {
	state, l, err := app.lockLocalState(ctx)
	if err != nil {
		return err
	}
	defer state.unlock()
	if l == nil {
		app.logf("nothing to stop: DynamoDB Local was not started by: zae-limiter local up")
		return nil
	}
	running, result := l.isRunning(ctx), "had already stopped"
	if running {
		if err := l.stop(ctx); err != nil {
			return err
		}
		result = "stopped"
	}
	if err := state.remove(); err != nil {
		return err
	}
	if running {
		if err := awaitPortFree(ctx, pause.For, l.Port); err != nil {
			return err
		}
	}
	app.logf("DynamoDB Local on %s in %s %s", l.endpoint(), l.location(), result)
	return nil
}

// localStatusCmd shows the state of DynamoDB Local.
type localStatusCmd struct{ Output }

// Run checks the process or the container.
func (c *localStatusCmd) Run(ctx context.Context, app *App) error {
	state, l, err := app.lockLocalState(ctx)
	if err != nil {
		return err
	}
	defer state.unlock()
	if l == nil || !l.isRunning(ctx) {
		return app.print(c.Output.Output, localDoc{})
	}
	d := localDoc{Running: true, Runtime: &l.Runtime, Endpoint: orNull(l.endpoint()), Table: orNull(l.Table), Container: orNull(l.Container)}
	if l.PID != 0 {
		d.PID, d.Log = &l.PID, &l.Log
	}
	unreachable := l.checkAnswers(ctx)
	d.Reachable = unreachable == nil
	if err := app.print(c.Output.Output, d); err != nil || unreachable == nil {
		return err
	}
	return &storeError{unreachable}
}

// localDoc describes the DynamoDB Local that "local up" has started.
type localDoc struct {
	Running   bool    `json:"running" row:"running"`
	Reachable bool    `json:"reachable" row:"reachable"`
	Runtime   *string `json:"runtime" row:"runtime"`
	Endpoint  *string `json:"endpoint" row:"endpoint"`
	Table     *string `json:"table" row:"table"`
	Container *string `json:"container_id" row:"container"`
	PID       *int    `json:"pid" row:"process"`
	Log       *string `json:"log" row:"log"`
}

func (d localDoc) table() table { return table{rows: rowsOf(d, "row")} }
