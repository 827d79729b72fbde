package main

import "embed"

//go:embed completion
var completionScripts embed.FS

// completionCmd prints a completion script.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (c *completionCmd) Run(app *App) error {
	script, err := completionScripts.ReadFile("completion/zae-limiter." + c.Shell)
	if err != nil {
		return err
	}
	_, err = app.Out.Write(script)
	return err
}
