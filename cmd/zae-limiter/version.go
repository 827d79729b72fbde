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
	Version  string  `json:"version" row:"version"`
	Commit   *string `json:"commit" row:"commit"`
	Time     *string `json:"commit_time" row:"committed"`
	Modified bool    `json:"modified" row:"modified"`
	Go       string  `json:"go" row:"go"`
	Platform string  `json:"platform" row:"platform"`

	Deployed *deployedDoc `json:"deployed"`
}

// deployedDoc describes the deployed versions.
type deployedDoc struct {
	Name            string  `json:"name" row:"deployed"`
	Version         *string `json:"version" row:"deployed version"`
	SchemaVersion   *string `json:"schema_version" row:"deployed schema"`
	FunctionVersion *string `json:"function_version" row:"deployed function"`
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
	rows := rowsOf(d, "row")
	if d.Deployed != nil {
		rows = append(rows, rowsOf(*d.Deployed, "row")...)
	}
	return table{rows: rows}
}
