package main

import (
	"runtime"
	"runtime/debug"
)

// versionCmd shows the version.
type versionCmd struct{ Output }

// Help shows an example.
func (*versionCmd) Help() string {
	return `Example:

    zae-limiter version`
}

// Run reads the build information in the binary.
func (c *versionCmd) Run(app *App) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return app.print(c.Output.Output, versionDocOf(info))
}

// versionDoc is what was built.
type versionDoc struct {
	Version  string  `json:"version"`
	Commit   *string `json:"commit"`
	Time     *string `json:"commit_time"`
	Modified bool    `json:"modified"`
	Go       string  `json:"go"`
	Platform string  `json:"platform"`
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
	return table{rows: [][]string{
		{"version", d.Version},
		{"commit", text(d.Commit)},
		{"committed", text(d.Time)},
		{"modified", yesNo(d.Modified)},
		{"go", d.Go},
		{"platform", d.Platform},
	}}
}
