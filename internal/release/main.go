package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

const program = "zae-limiter"

// targets are the systems that a release is built for.
const targets = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run builds all archives into a folder, and prints what it made.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	folder := flags.String("o", "dist", "folder to write to")
	wanted := flags.String("targets", targets, "systems to build for")
	modified := flags.Bool("modified", false, "build a modified tree, to try it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	version := ""
	for _, target := range strings.Split(*wanted, ",") {
		b, err := build(ctx, target)
		if err != nil {
			return err
		}
		if b.modified && !*modified {
			return errModified
		}
		name, sum, err := b.write(*folder)
		if err != nil {
			return err
		}
		version = b.version
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
		fmt.Fprintf(out, "%s  %s\n", sum, name)
	}
	return os.WriteFile(fmt.Sprintf("%s/%s_%s_checksums.txt", *folder, program, version), []byte(sums.String()), 0o644)
}
