package main

import "embed"

//go:embed completion
var completionScripts embed.FS

// completionCmd prints a completion script.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how to install the script.
func (*completionCmd) Help() string {
	return `The script makes the shell complete commands, flags and the values of enumerations when you press the tab key. It never
reads a store.

To install it for all future shells:

    bash:  echo 'source <(zae-limiter completion bash)' >> ~/.bashrc
    zsh:   echo 'source <(zae-limiter completion zsh)' >> ~/.zshrc, behind compinit
    fish:  zae-limiter completion fish > ~/.config/fish/completions/zae-limiter.fish

Example:

    zae-limiter completion bash`
}

// Run prints the script.
func (c *completionCmd) Run(app *App) error {
	script, err := completionScripts.ReadFile("completion/zae-limiter." + c.Shell)
	if err != nil {
		return err
	}
	_, err = app.Out.Write(script)
	return err
}
