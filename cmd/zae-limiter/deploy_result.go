package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/stack"
)

// resourceChange describes the change of a resource.
type resourceChange struct {
	Action      string   `json:"action"`
	Resource    string   `json:"logical_id"`
	Type        string   `json:"resource_type"`
	ID          *string  `json:"physical_id"`
	Replacement *string  `json:"replacement"`
	Properties  []string `json:"properties"`
}

func resourceChanges(changes []stack.Change) []resourceChange {
	return mapSlice(changes, func(c stack.Change) resourceChange {
		return resourceChange{c.Action, c.Resource, c.Type, orNull(c.ID), orNull(c.Replacement), nonNil(c.Properties)}
	})
}

// settingDoc describes the change of an option of a deployment.
type settingDoc struct {
	Parameter string  `json:"parameter"`
	Before    *string `json:"before"`
	After     *string `json:"after"`
}

// settingDifferences returns the settings that differ, sorted by name.
func settingDifferences(before, after map[string]string) []settingDoc {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, after)
	docs := []settingDoc{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, hadOld := before[name]
		current, hasNew := after[name]
		if hadOld != hasNew || old != current {
			docs = append(docs, settingDoc{name, orNull(old), orNull(current)})
		}
	}
	return docs
}

// stackPlan describes what a deployment would change, or has changed.
type stackPlan struct {
	Action   string           `json:"action"`
	Changes  []resourceChange `json:"changes"`
	Settings []settingDoc     `json:"settings"`
}

func (d stackPlan) table() table {
	t := table{head: []string{"ACTION", "RESOURCE", "TYPE", "REPLACED", "WHAT"}}
	for _, c := range d.Changes {
		t.rows = append(t.rows, []string{c.Action, c.Resource, c.Type, deref(c.Replacement), strings.Join(c.Properties, ", ")})
	}
	for _, s := range d.Settings {
		if d.Action == string(stack.Updated) {
			t.rows = append(t.rows, []string{"Set", s.Parameter, "", "", deref(s.Before) + " -> " + deref(s.After)})
		}
	}
	switch {
	case len(t.rows) == 0:
		t.head, t.foot = nil, "Nothing would change."
	case d.Action == string(stack.Updated):
		t.foot = "The stack would be updated."
	case d.Action == string(stack.Adopted):
		t.foot = "The stack would be created, with the existing data."
	default:
		t.foot = "The stack would be created."
	}
	return t
}

// deploymentDoc describes a deployment after a change.
type deploymentDoc struct {
	stackPlan
	Stack stackDoc `json:"stack"`
}

func deploymentDocOf(r *stack.Result) deploymentDoc {
	return deploymentDoc{stackPlan{string(r.Action), resourceChanges(r.Changes), settingDifferences(r.Before, r.After)}, stackDocOf(&r.Info)}
}

func (d deploymentDoc) table() table {
	return table{rows: append([][]string{{"action", d.Action}}, d.Stack.rows()...)}
}

// stackDoc describes a deployment. The tags stack and table have the names of its rows with a stack, and with only a table.
type stackDoc struct {
	Name                  string            `json:"name" stack:"stack" table:"table"`
	Region                string            `json:"region" stack:"region" table:"region"`
	Status                *string           `json:"stack_status" stack:"stack status"`
	Reason                *string           `json:"stack_status_reason" stack:"reason"`
	Health                *string           `json:"health" stack:"health"`
	Created               moment            `json:"created_at" stack:"created"`
	Updated               moment            `json:"updated_at" stack:"updated"`
	Version               *string           `json:"version" stack:"version"`
	SchemaVersion         *string           `json:"schema_version" stack:"schema version" table:"schema version"`
	FunctionVersion       *string           `json:"function_version" stack:"function version"`
	ClientVersion         string            `json:"client_version" stack:"client version" table:"client version"`
	Aggregator            onOff             `json:"aggregator_enabled" stack:"aggregator"`
	Available             bool              `json:"available"`
	TableStatus           *string           `json:"table_status" stack:"table status" table:"table status"`
	Items                 *int64            `json:"item_count" stack:"items" table:"items"`
	Bytes                 *int64            `json:"size_bytes" stack:"bytes" table:"bytes"`
	DeletionProtection    onOff             `json:"deletion_protection" stack:"deletion protection" table:"deletion protection"`
	TerminationProtection onOff             `json:"termination_protection" stack:"termination protection"`
	Bucket                *string           `json:"bucket" stack:"bucket"`
	RoleARNs              map[string]string `json:"role_arns"`
	Missing               []string          `json:"missing"`
}

func stackDocOf(i *stack.Info) stackDoc {
	d := stackDoc{
		Name: i.Name, Region: i.Region, Status: orNull(i.Status), Health: orNull(i.Health), Created: moment{i.Created},
		Updated: moment{i.Updated}, Version: orNull(i.Version), SchemaVersion: orNull(i.SchemaVersion),
		FunctionVersion: orNull(i.FunctionVersion), ClientVersion: stack.Version(), Aggregator: onOff(i.Aggregator),
		Available: i.Available, TableStatus: orNull(i.TableStatus), DeletionProtection: onOff(i.DeletionProtection),
		TerminationProtection: onOff(i.TerminationProtection), Bucket: orNull(i.Bucket), RoleARNs: i.RoleARNs, Missing: nonNil(i.Missing),
	}
	if i.ID != "" {
		d.Reason = orNull(i.Reason)
	} else {
		d.RoleARNs = map[string]string{}
	}
	if i.TableStatus != "" {
		d.Items, d.Bytes = &i.Items, &i.Bytes
	}
	return d
}

func (d stackDoc) rows() [][]string {
	if d.Status == nil {
		return rowsOf(d, "table")
	}
	rows := rowsOf(d, "stack")
	if d.Reason == nil {
		rows = slices.DeleteFunc(rows, func(row []string) bool { return row[0] == "reason" })
	}
	for _, role := range slices.Sorted(maps.Keys(d.RoleARNs)) {
		rows = append(rows, []string{"role " + role, d.RoleARNs[role]})
	}
	return rows
}

// onOff is a setting that is on or off.
type onOff bool

// String returns the setting for tables.
func (b onOff) String() string {
	if b {
		return "on"
	}
	return "off"
}
