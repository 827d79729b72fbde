package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/internal/awsconfig"
)

// run is the whole program: it parses args, runs the command they name and returns the exit code.
func run(ctx context.Context, args []string, w world) int {
	args = customary(args)
	var (
		tree   cli
		helped bool
		app    = &App{world: w}
	)
	parser, err := kong.New(&tree, options(w, &helped)...)
	if err != nil {
		return app.fail(ctx, err)
	}
	for _, arg := range args { // kong would put one and the same character in place of whatever is wrong
		if !utf8.ValidString(arg) {
			return app.fail(ctx, usage("argument %q: is not UTF-8: set the terminal to UTF-8", arg))
		}
	}
	args = outputBehind(parser.Model.Node, args)
	parsed, err := parser.Parse(args)
	if helped { // whatever else there was to say of the arguments
		return exitDone
	}
	var unwritten *fs.PathError // of the help
	if errors.As(err, &unwritten) {
		return app.fail(ctx, err)
	}
	if text := missing(parser.Model.Node, args); err != nil && text != "" {
		return app.fail(ctx, usage("%s", text))
	}
	if err != nil {
		return app.fail(ctx, usage("%s; see %s", oneLine(err.Error()), helpFor(parser, args)))
	}
	app.Globals, app.aws = tree.Globals, &awsconfig.Session{}
	if app.Terminal(app.In) {
		app.aws.MFA = app.askCode
	}
	ctx = awsconfig.With(ctx, app.aws)
	parsed.BindTo(ctx, (*context.Context)(nil))
	return app.fail(ctx, parsed.Run(app))
}

// customary makes command lines that other programs understand too ours.
func customary(args []string) []string {
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

// outputBehind moves --output from before the command, where scripts like to have it, to behind it, where it is a flag.
func outputBehind(root *kong.Node, args []string) []string {
	at := cursor{node: root, flags: root.Flags}
	var moved, rest []string
	for i, arg := range args {
		value := at.open != nil && at.open == formatFlag(at.node)
		flag := at.open == nil && !at.raw && (arg == "--output" || strings.HasPrefix(arg, "--output="))
		if at.pass(arg); value || flag {
			moved = append(moved, arg)
		} else {
			rest = append(rest, arg)
		}
		if len(at.node.Children) == 0 && len(moved) > 0 && formatFlag(at.node) != nil { // it is the command's
			return slices.Concat(rest, moved, args[i+1:])
		}
		if len(at.node.Children) == 0 {
			break
		}
	}
	return args
}

// formatFlag is the flag of a command that says how its result is printed; of a group of commands that of the first that has
// one. It is nil where there is none: --output may be a file, too.
func formatFlag(n *kong.Node) *kong.Flag {
	for _, flag := range n.Flags {
		if flag.Name == "output" && flag.Enum != "" {
			return flag
		}
	}
	for _, child := range n.Children {
		if flag := formatFlag(child); flag != nil {
			return flag
		}
	}
	return nil
}

// options tell kong to leave exiting to us, to look into the world's environment, and how help looks.
func options(w world, helped *bool) []kong.Option {
	return []kong.Option{
		kong.Name("zae-limiter"),
		kong.Description(about),
		kong.Writers(w.Out, w.Err),
		kong.Exit(func(int) { *helped = true }),
		kong.Resolvers(environment(w.Getenv)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(withEnvironment),
		kong.Help(printHelp),
		kong.ExplicitGroups([]kong.Group{
			{Key: "work", Title: "Limits at work:"},
			{Key: "configuration", Title: "Configuration:"},
			{Key: "infrastructure", Title: "Infrastructure on AWS:"},
			{Key: "local", Title: "A DynamoDB on this machine:"},
			{Key: "store", Title: "The store:"},
			{Key: "global", Title: "Flags of every command:"},
		}),
	}
}

// printHelp is kong's help, with what only the whole program's help has behind it.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	_, err := fmt.Fprintf(ctx.Stdout, "\nExit codes:\n%s", exitCodes())
	return err
}

// environment gives flags the value of the variable in their tag "from", where they are not on the command line.
func environment(getenv func(string) string) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if name := flag.Tag.Get("from"); name != "" && getenv(name) != "" {
			return getenv(name), nil
		}
		return nil, nil
	}
}

// withEnvironment is a flag's help, with that variable.
func withEnvironment(v *kong.Value) string {
	if name := v.Tag.Get("from"); name != "" {
		return strings.TrimSuffix(v.Help, ".") + " ($" + name + ")."
	}
	return v.Help
}

// helpFor is the command line that explains the command which args begin with.
func helpFor(parser *kong.Kong, args []string) string {
	node, path := parser.Model.Node, parser.Model.Name
	for _, arg := range args {
		for _, child := range node.Children {
			if child.Name == arg {
				node, path = child, path+" "+arg
				break
			}
		}
	}
	return path + " --help"
}
