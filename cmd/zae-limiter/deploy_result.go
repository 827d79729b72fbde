package main

import (
	"maps"
	"slices"
	"strconv"
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
	docs := make([]resourceChange, len(changes))
	for i, c := range changes {
		docs[i] = resourceChange{c.Action, c.Resource, c.Type, orNull(c.ID), orNull(c.Replacement), nonNil(c.Properties)}
	}
	return docs
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

// stackDoc describes a deployment.
type stackDoc struct {
	Name                  string            `json:"name"`
	Region                string            `json:"region"`
	Status                *string           `json:"stack_status"`
	Reason                *string           `json:"stack_status_reason"`
	Health                *string           `json:"health"`
	Created               moment            `json:"created_at"`
	Updated               moment            `json:"updated_at"`
	Version               *string           `json:"version"`
	SchemaVersion         *string           `json:"schema_version"`
	FunctionVersion       *string           `json:"function_version"`
	ClientVersion         string            `json:"client_version"`
	Aggregator            bool              `json:"aggregator_enabled"`
	Available             bool              `json:"available"`
	TableStatus           *string           `json:"table_status"`
	Items                 *int64            `json:"item_count"`
	Bytes                 *int64            `json:"size_bytes"`
	DeletionProtection    bool              `json:"deletion_protection"`
	TerminationProtection bool              `json:"termination_protection"`
	Bucket                *string           `json:"bucket"`
	RoleARNs              map[string]string `json:"role_arns"`
	Missing               []string          `json:"missing"`
}

func stackDocOf(i *stack.Info) stackDoc {
	d := stackDoc{
		Name: i.Name, Region: i.Region, Status: orNull(i.Status), Health: orNull(i.Health), Created: moment{i.Created},
		Updated: moment{i.Updated}, Version: orNull(i.Version), SchemaVersion: orNull(i.SchemaVersion),
		FunctionVersion: orNull(i.FunctionVersion), ClientVersion: stack.Version(), Aggregator: i.Aggregator,
		Available: i.Available, TableStatus: orNull(i.TableStatus), DeletionProtection: i.DeletionProtection,
		TerminationProtection: i.TerminationProtection, Bucket: orNull(i.Bucket), RoleARNs: i.RoleARNs, Missing: nonNil(i.Missing),
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
	count := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	if d.Status == nil {
		return [][]string{
			{"table", d.Name},
			{"region", d.Region},
			{"schema version", deref(d.SchemaVersion)},
			{"client version", d.ClientVersion},
			{"table status", deref(d.TableStatus)},
			{"items", count(d.Items)},
			{"bytes", count(d.Bytes)},
			{"deletion protection", onOff(d.DeletionProtection)},
		}
	}
	rows := [][]string{
		{"stack", d.Name},
		{"region", d.Region},
		{"stack status", *d.Status},
	}
	if d.Reason != nil {
		rows = append(rows, []string{"reason", *d.Reason})
	}
	rows = append(rows, [][]string{
		{"health", deref(d.Health)},
		{"created", d.Created.String()},
		{"updated", d.Updated.String()},
		{"version", deref(d.Version)},
		{"schema version", deref(d.SchemaVersion)},
		{"function version", deref(d.FunctionVersion)},
		{"client version", d.ClientVersion},
		{"aggregator", onOff(d.Aggregator)},
		{"table status", deref(d.TableStatus)},
		{"items", count(d.Items)},
		{"bytes", count(d.Bytes)},
		{"deletion protection", onOff(d.DeletionProtection)},
		{"termination protection", onOff(d.TerminationProtection)},
		{"bucket", deref(d.Bucket)},
	}...)
	for _, role := range slices.Sorted(maps.Keys(d.RoleARNs)) {
		rows = append(rows, []string{"role " + role, d.RoleARNs[role]})
	}
	return rows
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
