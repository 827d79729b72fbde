package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/stack"
)

// checkCmd compares versions.
type checkCmd struct{ Output }

// Help shows an example.
func (*checkCmd) Help() string {
	return `It compares what is deployed with this program: the schema of the records, the function, and the program that deployed the stack; of a table, or a stack, that something else has created the schema only, and what a limiter misses of it. If a version differs it exits with 6.

Example:

    zae-limiter check --name my-app --region us-east-1`
}

// Run compares.
func (c *checkCmd) Run(ctx context.Context, app *App) error {
	at, err := app.target()
	if err != nil {
		return err
	}
	info, err := app.inspect(ctx, at)
	if err != nil {
		return inStack(err)
	}
	d := checkOf(&info)
	app.sayMissing(info.Missing)
	if err := app.print(c.Output.Output, d); err != nil || d.Same {
		return err
	}
	var parts []string
	for _, p := range d.Parts {
		if !p.Same {
			parts = append(parts, fmt.Sprintf("%s %s, here %s", p.Part, orDash(text(p.Deployed)), p.Client))
		}
	}
	command := "upgrade"
	if info.SchemaVersion == "" {
		command = "init"
	}
	return fmt.Errorf("%w: %s; bring it up to date: zae-limiter %s %s", errDifferent, strings.Join(parts, "; "), command, at.flags())
}

func checkOf(i *stack.Info) checkDoc {
	client := clientVersion()
	d := checkDoc{Name: i.Name, Region: i.Region, Same: true, Missing: list(i.Missing)}
	add := func(part, deployed, client string) {
		d.Parts = append(d.Parts, partDoc{part, orNull(deployed), client, deployed == client})
		d.Same = d.Same && deployed == client
	}
	add("schema", i.SchemaVersion, strconv.Itoa(schema.CurrentVersion))
	if i.Version == "" { // no stack, or one that another tool has created
		return d
	}
	if i.Aggregator {
		add("function", i.FunctionVersion, client)
	}
	add("stack", i.Version, client)
	return d
}

// checkDoc compares a deployment with this program.
type checkDoc struct {
	Name   string    `json:"name"`
	Region string    `json:"region"`
	Same   bool      `json:"same"`
	Parts  []partDoc `json:"parts"`

	Missing []string `json:"missing"`
}

// partDoc compares a part of it.
type partDoc struct {
	Part     string  `json:"part"`
	Deployed *string `json:"deployed"`
	Client   string  `json:"client"`
	Same     bool    `json:"same"`
}

func (d checkDoc) table() table {
	t := table{head: []string{"PART", "DEPLOYED", "THIS PROGRAM", "SAME"}}
	for _, p := range d.Parts {
		t.rows = append(t.rows, []string{p.Part, text(p.Deployed), p.Client, yesNo(p.Same)})
	}
	return t
}
