package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// run parses args, runs the command that they name, and returns the exit code.
func run(ctx context.Context, args []string, w host) int {
	args = normalizeArgs(args)
	var (
		tree   cli
		helped bool
		app    = &App{host: w}
	)
	parser, err := kong.New(&tree, append(options(w, &helped), kong.BindToProvider(app.limiter), kong.BindToProvider(app.selectedTarget))...)
	if err != nil {
		return app.finish(ctx, err)
	}
	for _, arg := range args { // kong would silently replace invalid bytes with U+FFFD
		if !utf8.ValidString(arg) {
			return app.finish(ctx, usageErrorf("argument %q is not valid UTF-8: set the terminal's encoding to UTF-8", arg))
		}
	}
	args = moveOutputFlag(parser.Model.Node, args)
	parsed, err := parser.Parse(args)
	if helped { // help wins over errors in the arguments
		return exitDone
	}
	var unwritten *fs.PathError // the help could not be written
	if errors.As(err, &unwritten) {
		return app.finish(ctx, err)
	}
	if text := pythonAdvice(parser.Model.Node, args); err != nil && text != "" {
		return app.finish(ctx, usageErrorf("%s", text))
	}
	if err != nil {
		return app.finish(ctx, usageErrorf("%s; see %s", parseErrorText(err), helpCommand(parser, err)))
	}
	if err := checkEmptyFlags(parsed); err != nil {
		return app.finish(ctx, err)
	}
	app.Globals, app.aws = tree.Globals, &awsconfig.Session{}
	if app.Terminal(app.In) {
		app.aws.MFA = app.promptMFACode
	}
	ctx = awsconfig.With(ctx, app.aws)
	parsed.BindTo(ctx, (*context.Context)(nil))
	return app.finish(ctx, app.close(ctx, parsed.Run(app)))
}

// checkEmptyFlags rejects an empty text as the value of a flag: it mostly comes from a variable of the shell that is not set, and would
// select the default store, or another namespace, than what was meant. A flag that accepts an empty text is a pointer. Without text,
// --after begins with the first page, as loops expect.
func checkEmptyFlags(parsed *kong.Context) error {
	for _, part := range parsed.Path {
		if part.Flag == nil || part.Resolved || part.Flag.Name == "after" {
			continue
		}
		if text, ok := parsed.FlagValue(part.Flag).(string); ok && text == "" {
			return usageErrorf("--%s is empty: name a value, or leave the flag out; is a variable of the shell not set?", part.Flag.Name)
		}
	}
	return nil
}

// normalizeArgs rewrites common command lines: none and "help …" to --help, and --version to the command version.
func normalizeArgs(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}

// moveOutputFlag moves --output from before the command, where scripts often put it, to after the command that defines it.
func moveOutputFlag(root *kong.Node, args []string) []string {
	at := cursor{node: root, flags: root.Flags}
	var moved, rest []string
	for i, arg := range args {
		value := at.pending != nil && at.pending == outputFlag(at.node)
		flag := at.pending == nil && !at.afterDashes && (arg == "--output" || strings.HasPrefix(arg, "--output="))
		if at.advance(arg); value || flag {
			moved = append(moved, arg)
		} else {
			rest = append(rest, arg)
		}
		if len(at.node.Children) == 0 && len(moved) > 0 && outputFlag(at.node) != nil {
			return slices.Concat(rest, moved, args[i+1:])
		}
		if len(at.node.Children) == 0 {
			break
		}
	}
	return args
}

// outputFlag returns the flag with which a command selects the format of its result; for a group of commands, that of the
// first command that has one. It returns nil if there is none, for example if --output names a file.
func outputFlag(n *kong.Node) *kong.Flag {
	for _, flag := range n.Flags {
		if flag.Name == "output" && flag.Enum != "" {
			return flag
		}
	}
	for _, child := range n.Children {
		if flag := outputFlag(child); flag != nil {
			return flag
		}
	}
	return nil
}

// options configure kong: it does not exit by itself, reads variables from the host's environment, and groups the help.
func options(w host, helped *bool) []kong.Option {
	return []kong.Option{
		kong.Name("zae-limiter"),
		kong.Description(about),
		kong.Writers(w.Out, w.Err),
		kong.Exit(func(int) { *helped = true }),
		kong.Resolvers(variableResolver(w.Getenv)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(helpWithVariable),
		kong.Help(printHelp),
		kong.PostBuild(addDetails),
		kong.ExplicitGroups([]kong.Group{
			{Key: "work", Title: "Using limits:"},
			{Key: "configuration", Title: "Configuration:"},
			{Key: "infrastructure", Title: "Infrastructure on AWS:"},
			{Key: "local", Title: "DynamoDB on this machine:"},
			{Key: "store", Title: "The store:"},
			{Key: "global", Title: "Flags of every command:"},
		}),
	}
}

// variableResolver sets a flag that is not on the command line from the environment variable in its tag "from".
func variableResolver(getenv func(string) string) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if name := flag.Tag.Get("from"); name != "" && getenv(name) != "" {
			return getenv(name), nil
		}
		return nil, nil
	}
}
