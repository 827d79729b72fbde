package main

import (
	"context"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/stack"
)

// initCmd initializes a table that another tool has created.
type initCmd struct{ Output }

// Run checks the table, and writes the record.
func (c *initCmd) Run(ctx context.Context, app *App, at target) error {
	before, err := stack.GetTable(ctx, at.name, at.options(app))
	if err != nil {
		return fromStack(err)
	}
	info := before
	if before.SchemaVersion == "" {
		if info, err = stack.Init(ctx, at.name, at.options(app)); err != nil {
			return fromStack(err)
		}
	}
	at.region = info.Region
	if before.SchemaVersion == "" {
		app.logf("wrote the schema record of the table %s: the table is ready", at)
	} else {
		app.logf("nothing to do: the table %s already has schema version %s", at, info.SchemaVersion)
	}
	app.warnMissing(info.Missing)
	if info.SchemaVersion != fmt.Sprint(schema.CurrentVersion) {
		return fmt.Errorf("%w: schema %s, this program has %d: use the version of this program that created the table", errOtherVersion, info.SchemaVersion, schema.CurrentVersion)
	}
	if c.Output.Output == formatTable {
		return app.printExports(at)
	}
	return app.print(c.Output.Output, initDoc{at.name, at.region, before.SchemaVersion == "", info.SchemaVersion, info.TableStatus, nonNil(info.Missing)})
}

// warnMissing logs what a table lacks.
func (a *App) warnMissing(missing []string) {
	for _, m := range missing {
		a.logf("missing: %s", m)
	}
}

// initDoc describes an initialized table.
type initDoc struct {
	Name          string   `json:"name"`
	Region        string   `json:"region"`
	Initialized   bool     `json:"initialized"`
	SchemaVersion string   `json:"schema_version"`
	TableStatus   string   `json:"table_status"`
	Missing       []string `json:"missing"`
}

func (initDoc) table() table { return table{} }
