package main

import "embed"

//go:embed completion
var completionScripts embed.FS

// completionCmd prints what makes a shell complete our command lines.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help tells where the script goes.
func (*completionCmd) Help() string {
	return `It prints a script which makes the shell complete commands, flags, and the values of flags that have few, at the tab key.
Nothing of a store is read for it.

For the shells to come:

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
