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

func (c *checkCmd) Run(ctx context.Context, app *App, at target) error {
	info, err := app.deploymentInfo(ctx, at)
	if err != nil {
		return fromStack(err)
	}
	d := checkOf(&info)
	app.warnMissing(info.Missing)
	if err := app.print(c.Output.Output, d); err != nil || d.Same {
		return err
	}
	var parts []string
	for _, p := range d.Parts {
		if !p.Same {
			parts = append(parts, fmt.Sprintf("%s has %s, this program %s", p.Part, orDash(deref(p.Deployed)), p.Client))
		}
	}
	command := "upgrade"
	if info.SchemaVersion == "" {
		command = "init"
	}
	return fmt.Errorf("%w: %s: update it: zae-limiter %s %s", errOtherVersion, strings.Join(parts, "; "), command, at.flags())
}

func checkOf(i *stack.Info) checkDoc {
	client := stack.Version()
	d := checkDoc{Name: i.Name, Region: i.Region, Same: true, Missing: nonNil(i.Missing)}
	add := func(part, deployed, client string) {
		d.Parts = append(d.Parts, partDoc{part, orNull(deployed), client, deployed == client})
		d.Same = d.Same && deployed == client
	}
	add("schema", i.SchemaVersion, strconv.Itoa(schema.CurrentVersion))
	if i.Version == "" { // no stack, or the stack of another tool
		return d
	}
	if i.Aggregator {
		add("function", i.FunctionVersion, client)
	}
	add("stack", i.Version, client)
	return d
}

// checkDoc describes how a deployment compares with this program.
type checkDoc struct {
	Name   string    `json:"name"`
	Region string    `json:"region"`
	Same   bool      `json:"same"`
	Parts  []partDoc `json:"parts"`

	Missing []string `json:"missing"`
}

// partDoc describes how a part of a deployment compares.
type partDoc struct {
	Part     string  `json:"part"`
	Deployed *string `json:"deployed"`
	Client   string  `json:"client"`
	Same     bool    `json:"same"`
}

func (d checkDoc) table() table {
	row := func(p partDoc) []string { return []string{p.Part, deref(p.Deployed), p.Client, yesNo(p.Same)} }
	return table{head: []string{"PART", "DEPLOYED", "THIS PROGRAM", "SAME"}, rows: mapSlice(d.Parts, row)}
}
