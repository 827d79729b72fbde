package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/stack"
)

// resourceChange is a change of a resource.
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
		docs[i] = resourceChange{c.Action, c.Resource, c.Type, orNull(c.ID), orNull(c.Replacement), list(c.Properties)}
	}
	return docs
}

// settingDoc is an option of a deployment that changes.
type settingDoc struct {
	Parameter string  `json:"parameter"`
	Before    *string `json:"before"`
	After     *string `json:"after"`
}

// differences are the settings that are not the same, by name.
func differences(before, after map[string]string) []settingDoc {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	docs := []settingDoc{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := before[name]
		is, has := after[name]
		if had != has || was != is {
			docs = append(docs, settingDoc{name, orNull(was), orNull(is)})
		}
	}
	return docs
}

// stackPlan is what a deployment would change, or has changed.
type stackPlan struct {
	Action   string           `json:"action"`
	Changes  []resourceChange `json:"changes"`
	Settings []settingDoc     `json:"settings"`
}

func (d stackPlan) table() table {
	t := table{head: []string{"ACTION", "RESOURCE", "TYPE", "REPLACED", "WHAT"}}
	for _, c := range d.Changes {
		t.rows = append(t.rows, []string{c.Action, c.Resource, c.Type, text(c.Replacement), strings.Join(c.Properties, ", ")})
	}
	for _, s := range d.Settings {
		if d.Action == string(stack.Updated) {
			t.rows = append(t.rows, []string{"Set", s.Parameter, "", "", text(s.Before) + " -> " + text(s.After)})
		}
	}
	switch {
	case len(t.rows) == 0:
		t.head, t.foot = nil, "Nothing would be changed."
	case d.Action == string(stack.Updated):
		t.foot = "The stack would be changed."
	case d.Action == string(stack.Adopted):
		t.foot = "The stack would be created, with the data that are there."
	default:
		t.foot = "The stack would be created."
	}
	return t
}

// deploymentDoc is what a deployment has become.
type deploymentDoc struct {
	stackPlan
	Stack stackDoc `json:"stack"`
}

func (d deploymentDoc) table() table {
	return table{rows: append([][]string{{"action", d.Action}}, d.Stack.rows()...)}
}

// stackDoc is a deployment.
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
		FunctionVersion: orNull(i.FunctionVersion), ClientVersion: clientVersion(), Aggregator: i.Aggregator,
		Available: i.Available, TableStatus: orNull(i.TableStatus), DeletionProtection: i.DeletionProtection,
		TerminationProtection: i.TerminationProtection, Bucket: orNull(i.Bucket), RoleARNs: i.RoleARNs, Missing: list(i.Missing),
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
			{"schema version", text(d.SchemaVersion)},
			{"client version", d.ClientVersion},
			{"table status", text(d.TableStatus)},
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
		{"health", text(d.Health)},
		{"created", d.Created.String()},
		{"updated", d.Updated.String()},
		{"version", text(d.Version)},
		{"schema version", text(d.SchemaVersion)},
		{"function version", text(d.FunctionVersion)},
		{"client version", d.ClientVersion},
		{"aggregator", onOff(d.Aggregator)},
		{"table status", text(d.TableStatus)},
		{"items", count(d.Items)},
		{"bytes", count(d.Bytes)},
		{"deletion protection", onOff(d.DeletionProtection)},
		{"termination protection", onOff(d.TerminationProtection)},
		{"bucket", text(d.Bucket)},
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
