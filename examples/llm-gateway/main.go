package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	var c config
	kong.Parse(&c, kong.Name("llm-gateway"), kong.Description("Limit requests and tokens a minute in front of an LLM API."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &c); err != nil {
		slog.Error("llm-gateway", "error", err)
		os.Exit(1) //nolint:gocritic // stop restores the signals of a process that ends anyway
	}
}

func run(ctx context.Context, c *config) error {
	if c.CreateTable {
		return c.createTable(ctx)
	}
	var listening net.ListenConfig
	api, err := listening.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	admin, err := listening.Listen(ctx, "tcp", c.Admin)
	if err != nil {
		return err
	}
	return serve(ctx, c, api, admin, slog.Default())
}
