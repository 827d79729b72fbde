package main

import (
	"context"
	"fmt"

	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/stack"
)

// initCmd makes a table usable that something else has created.
type initCmd struct{ Output }

// Help shows an example.
func (*initCmd) Help() string {
	return `Use it for a table that Terraform, CDK, a template from cfn-template or a restore has created. It checks the table's keys and its index, and writes the schema record, without which no store opens; a table that has one stays as it is. What a limiter misses of the table, its stream or TTL, is printed with its consequence and its cure.

The table stays outside of any stack of this program: deploy takes it into one only with --adopt.

Example:

    zae-limiter init --name my-app --region us-east-1`
}

// Run checks the table, and writes the record.
func (c *initCmd) Run(ctx context.Context, app *App) error {
	at, err := app.target()
	if err != nil {
		return err
	}
	before, err := stack.GetTable(ctx, at.name, at.options(app))
	if err != nil {
		return inStack(err)
	}
	info := before
	if before.SchemaVersion == "" {
		if info, err = stack.Init(ctx, at.name, at.options(app)); err != nil {
			return inStack(err)
		}
	}
	at.region = info.Region
	if before.SchemaVersion == "" {
		app.say("wrote the schema record of the table %s; it can be used", at)
	} else {
		app.say("nothing to do: the table %s has a schema record of version %s", at, info.SchemaVersion)
	}
	app.sayMissing(info.Missing)
	if info.SchemaVersion != fmt.Sprint(schema.CurrentVersion) {
		return fmt.Errorf("%w: schema %s, here %d; use the version of this program that made it", errDifferent, info.SchemaVersion, schema.CurrentVersion)
	}
	if c.Output.Output == formatTable {
		return app.exports(at)
	}
	return app.print(c.Output.Output, initDoc{at.name, at.region, before.SchemaVersion == "", info.SchemaVersion, info.TableStatus, list(info.Missing)})
}

// sayMissing warns of what a limiter misses of a table.
func (a *App) sayMissing(missing []string) {
	for _, m := range missing {
		a.say("missing: %s", m)
	}
}

// initDoc is what a table has become.
type initDoc struct {
	Name          string   `json:"name"`
	Region        string   `json:"region"`
	Initialized   bool     `json:"initialized"`
	SchemaVersion string   `json:"schema_version"`
	TableStatus   string   `json:"table_status"`
	Missing       []string `json:"missing"`
}

func (initDoc) table() table { return table{} }
