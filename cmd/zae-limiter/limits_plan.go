package main

import (
	"fmt"
	"strings"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// planDoc describes what a manifest changes.
type planDoc struct {
	Manifest  string      `json:"manifest"`
	Namespace string      `json:"namespace"`
	Changes   []changeDoc `json:"changes"`
	Add       int         `json:"add"`
	Change    int         `json:"change"`
	Remove    int         `json:"remove"`
	Adopt     int         `json:"adopt"`
	Unchanged int         `json:"unchanged"`
	Applied   int         `json:"applied"`

	file string
}

// changeDoc describes the change of one setting.
type changeDoc struct {
	Action   manifest.Action `json:"action"`
	Path     string          `json:"path"`
	Entity   *string         `json:"entity_id"`
	Resource *string         `json:"resource"`
	From     *string         `json:"from_manifest"`
	Fields   []fieldDoc      `json:"fields"`
}

// fieldDoc describes one difference.
type fieldDoc struct {
	Field  string  `json:"field"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

func planDocOf(p *manifest.Plan, applied int) planDoc {
	d := planDoc{
		Manifest: p.Manifest.Name, Namespace: p.Manifest.Namespace, Changes: make([]changeDoc, len(p.Changes)),
		Add: p.Count(manifest.Add), Change: p.Count(manifest.Modify), Remove: p.Count(manifest.Remove), Adopt: p.Count(manifest.Adopt),
		Unchanged: p.Unchanged, Applied: applied, file: p.Manifest.File,
	}
	for i, c := range p.Changes {
		change := changeDoc{c.Action, c.Path, orNull(c.ID.Entity), orNull(c.ID.Resource), orNull(c.From), make([]fieldDoc, len(c.Fields))}
		if c.ID.Kind == engine.SettingLimits {
			change.Resource = &c.ID.Resource
		}
		for j, f := range c.Fields {
			change.Fields[j] = fieldDoc{f.Name, orNull(f.Before), orNull(f.After)}
		}
		d.Changes[i] = change
	}
	return d
}

// Marks at the start of lines; colours has their colours on a terminal.
const (
	markAdd    = "+"
	markChange = "~"
	markRemove = "-"
	markAdopt  = "^"
)

var colours = map[string]string{markAdd: "\x1b[32m", markChange: "\x1b[33m", markRemove: "\x1b[31m", markAdopt: "\x1b[36m"}

// text returns the plan with a line for each setting, followed by a line for each difference.
func (d planDoc) text(styled bool) string {
	var s strings.Builder
	line := func(indent, mark, text string) {
		text = indent + mark + " " + orDash(text)
		if styled {
			text = colours[mark] + text + "\x1b[0m"
		}
		s.WriteString(text + "\n")
	}
	for _, c := range d.Changes {
		mark := map[manifest.Action]string{
			manifest.Add: markAdd, manifest.Modify: markChange, manifest.Remove: markRemove, manifest.Adopt: markAdopt,
		}[c.Action]
		line("", mark, c.Path+c.note())
		for _, f := range c.Fields {
			line("    ", f.mark(), f.Field+": "+f.values())
		}
	}
	if len(d.Changes) == 0 {
		return fmt.Sprintf("No changes: the stored configuration matches %s (%s).\n", d.file, count(d.Unchanged, "setting"))
	}
	fmt.Fprintf(&s, "\n%d to add, %d to change, %d to remove, %d to adopt; %d unchanged\n", d.Add, d.Change, d.Remove, d.Adopt, d.Unchanged)
	return s.String()
}

// table implements document; a plan is printed by text.
func (d planDoc) table() table { return table{} }

// note returns a remark about a setting, or an empty string.
func (c changeDoc) note() string {
	switch {
	case c.From != nil:
		return " (taken over from the manifest " + *c.From + ")"
	case c.Action == manifest.Adopt:
		return " (unchanged, managed from now on)"
	}
	return ""
}

func (f fieldDoc) mark() string {
	switch {
	case f.Before == nil:
		return markAdd
	case f.After == nil:
		return markRemove
	}
	return markChange
}

func (f fieldDoc) values() string {
	switch f.mark() {
	case markAdd:
		return *f.After
	case markRemove:
		return *f.Before
	}
	return *f.Before + " -> " + *f.After
}
