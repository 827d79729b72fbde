package main

import (
	"context"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/cmd/zae-limiter/internal/manifest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// limitsExportCmd exports the stored configuration as a manifest.
type limitsExportCmd struct {
	Manifest string `placeholder:"NAME" help:"Export only what this manifest manages. Default: all, unless several manifests manage it."`
	Output   Format `short:"o" default:"yaml" enum:"yaml,json" placeholder:"yaml|json" help:"yaml or json. Default: ${default}."`
}

func (c *limitsExportCmd) Run(ctx context.Context, app *App, l *engine.Limiter) error {
	settings, name, err := c.settings(ctx, l)
	if err != nil {
		return err
	}
	m := manifest.Of(name, app.Namespace, settings)
	text := m.YAML(
		"Limits and entities, exported with: zae-limiter limits export",
		"Show what would change:  zae-limiter limits plan -f FILE",
		"Apply:                   zae-limiter limits apply -f FILE")
	if c.Output != formatYAML {
		if text, err = m.JSON(); err != nil {
			return err
		}
	}
	_, err = app.Out.Write(text)
	return err
}

// settings returns the settings to export, and the name of the manifest.
func (c *limitsExportCmd) settings(ctx context.Context, l *engine.Limiter) ([]engine.Setting, string, error) {
	if c.Manifest != "" {
		settings, err := l.ManagedSettings(ctx, c.Manifest)
		if err == nil && len(settings) == 0 {
			err = notFound("the manifest %s manages nothing", c.Manifest)
		}
		return settings, c.Manifest, err
	}
	settings, err := l.AllSettings(ctx)
	if err != nil {
		return nil, "", err
	}
	var names []string
	for _, s := range settings {
		if s.Manifest != "" {
			names = append(names, s.Manifest)
		}
	}
	slices.Sort(names)
	switch names = slices.Compact(names); len(names) {
	case 0:
		return settings, manifest.DefaultName, nil
	case 1:
		return settings, names[0], nil
	}
	return nil, "", usageErrorf("several manifests manage the stored configuration, %s: select one, for example --manifest %s", strings.Join(names, ", "), names[0])
}
