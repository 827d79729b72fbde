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
	return planDoc{
		Manifest: p.Manifest.Name, Namespace: p.Manifest.Namespace, Changes: mapSlice(p.Changes, changeDocOf),
		Add: p.Count(manifest.Add), Change: p.Count(manifest.Modify), Remove: p.Count(manifest.Remove), Adopt: p.Count(manifest.Adopt),
		Unchanged: p.Unchanged, Applied: applied, file: p.Manifest.File,
	}
}

func changeDocOf(c manifest.Change) changeDoc {
	fields := mapSlice(c.Fields, func(f manifest.Field) fieldDoc { return fieldDoc{f.Name, orNull(f.Before), orNull(f.After)} })
	d := changeDoc{c.Action, c.Path, orNull(c.ID.Entity), orNull(c.ID.Resource), orNull(c.From), fields}
	if c.ID.Kind == engine.SettingLimits {
		d.Resource = &c.ID.Resource
	}
	return d
}

// marks are at the start of lines; colours are those of the lines on a terminal.
var (
	marks   = map[manifest.Action]string{manifest.Add: "+", manifest.Modify: "~", manifest.Remove: "-", manifest.Adopt: "^"}
	colours = map[manifest.Action]string{manifest.Add: "\x1b[32m", manifest.Modify: "\x1b[33m", manifest.Remove: "\x1b[31m", manifest.Adopt: "\x1b[36m"}
)

// text returns the plan with a line for each setting, followed by a line for each difference.
func (d planDoc) text(styled bool) string {
	var s strings.Builder
	line := func(indent string, action manifest.Action, text string) {
		text = indent + marks[action] + " " + orDash(text)
		if styled {
			text = colours[action] + text + "\x1b[0m"
		}
		s.WriteString(text + "\n")
	}
	for _, c := range d.Changes {
		line("", c.Action, c.Path+c.note())
		for _, f := range c.Fields {
			action, values := f.change()
			line("    ", action, f.Field+": "+values)
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

// change returns the kind of the difference, and its values as text.
func (f fieldDoc) change() (manifest.Action, string) {
	switch {
	case f.Before == nil:
		return manifest.Add, *f.After
	case f.After == nil:
		return manifest.Remove, *f.Before
	}
	return manifest.Modify, *f.Before + " -> " + *f.After
}
