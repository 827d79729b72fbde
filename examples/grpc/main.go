package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands are the server and the client.
type commands struct {
	Serve serveCmd `cmd:"" help:"Serve, with limits."`
	Fetch fetchCmd `cmd:"" help:"Fetch bytes from the server."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := kong.Parse(&commands{}, kong.Name("grpc"), kong.Description("Serve and call gRPC with limits."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(os.Stdout, (*io.Writer)(nil)))
	command.FatalIfErrorf(command.Run())
}
