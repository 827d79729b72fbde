package main

import (
	"context"
	"runtime"
	"runtime/debug"
)

// versionCmd shows the version of this program.
type versionCmd struct{ Output }

// Run reads the build information of the binary.
func (c *versionCmd) Run(ctx context.Context, app *App) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	d := versionDocOf(info)
	deployed, err := app.deployedStack(ctx, true)
	if err != nil {
		return err
	}
	if deployed != nil {
		d.Deployed = &deployedDoc{deployed.Name, deployed.Version, deployed.SchemaVersion, deployed.FunctionVersion}
	}
	return app.print(c.Output.Output, d)
}

// versionDoc describes the build.
type versionDoc struct {
	Version  string  `json:"version"`
	Commit   *string `json:"commit"`
	Time     *string `json:"commit_time"`
	Modified bool    `json:"modified"`
	Go       string  `json:"go"`
	Platform string  `json:"platform"`

	Deployed *deployedDoc `json:"deployed"`
}

// deployedDoc describes the deployed versions.
type deployedDoc struct {
	Name            string  `json:"name"`
	Version         *string `json:"version"`
	SchemaVersion   *string `json:"schema_version"`
	FunctionVersion *string `json:"function_version"`
}

func versionDocOf(info *debug.BuildInfo) versionDoc {
	d := versionDoc{Version: info.Main.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if d.Version == "" {
		d.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			d.Commit = orNull(s.Value)
		case "vcs.time":
			d.Time = orNull(s.Value)
		case "vcs.modified":
			d.Modified = s.Value == "true"
		}
	}
	return d
}

func (d versionDoc) table() table {
	rows := [][]string{
		{"version", d.Version},
		{"commit", deref(d.Commit)},
		{"committed", deref(d.Time)},
		{"modified", yesNo(d.Modified)},
		{"go", d.Go},
		{"platform", d.Platform},
	}
	if d.Deployed != nil {
		rows = append(rows, [][]string{
			{"deployed", d.Deployed.Name},
			{"deployed version", deref(d.Deployed.Version)},
			{"deployed schema", deref(d.Deployed.SchemaVersion)},
			{"deployed function", deref(d.Deployed.FunctionVersion)},
		}...)
	}
	return table{rows: rows}
}
