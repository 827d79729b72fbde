package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/zeroae/zae-limiter-go/aggregator/lambda"
)

func main() {
	if lambda.Present(os.Getenv) { // the same binary is the code of the Lambda function
		err := lambda.Start(context.Background(), os.Getenv)
		fmt.Fprintf(os.Stderr, "zae-limiter: start the aggregator: %v\n", err)
		os.Exit(exitFailed)
	}
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
	}()
	os.Exit(run(ctx, os.Args[1:], realHost()))
}
