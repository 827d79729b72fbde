package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
)

// config are the flags.
type config struct {
	URL      string        `help:"Where jobs are sent." required:"" placeholder:"URL"`
	Limit    []string      `help:"Limits where none are stored: rpm counts jobs, and tpm their tokens." default:"rpm:60,tpm:10000" placeholder:"LIMIT"`
	Entity   string        `help:"Who uses the URL." default:"workers"`
	Resource string        `help:"What is used." default:"jobs"`
	Parallel int           `help:"Jobs at a time." default:"4"`
	Patience time.Duration `help:"How long a job may wait for its tokens." default:"5m"`
	JobTime  time.Duration `help:"How long the URL may take for a job." default:"1m"`
	Timeout  time.Duration `help:"How long DynamoDB may take for a decision." default:"1s"`
	Table    string        `help:"Table of the limits." required:"" placeholder:"NAME"`
	Region   string        `help:"Region of the table." env:"AWS_REGION"`
	Endpoint string        `help:"Endpoint of DynamoDB, if it is not that of the region." placeholder:"URL"`
}

// Validate refuses flags by which no job would be done. Kong calls it.
func (c *config) Validate() error {
	if c.Parallel < 1 || c.Patience <= 0 || c.JobTime <= 0 {
		return errNoJobs
	}
	return nil
}

func main() {
	var c config
	kong.Parse(&c, kong.Name("worker"), kong.Description("Do jobs of a queue as fast as limits allow."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &c, os.Stdin, os.Stdout); err != nil {
		slog.Error("worker", "error", err)
		os.Exit(1) //nolint:gocritic // stop restores the signals of a process that ends anyway
	}
}

// run does the jobs of in until there are no more or ctx ends. Then it shuts down in order: the jobs, the limiter, the store.
func run(ctx context.Context, c *config, in io.Reader, out io.Writer) error {
	limits, err := parseLimits(c.Limit)
	if err != nil {
		return err
	}
	store, err := dynamo.Open(ctx, c.Table, &dynamo.Options{Region: c.Region, Endpoint: c.Endpoint})
	if err != nil {
		return err
	}
	limiter, err := engine.New(store, &engine.Options{Timeout: c.Timeout})
	if err != nil {
		return err
	}
	q := newQueue(in, out)
	w := &worker{
		limiter:  limiter,
		request:  engine.Request{Entity: c.Entity, Resource: c.Resource, Limits: limits},
		parallel: c.Parallel, patience: c.Patience, jobTime: c.JobTime, do: sender(c.URL), report: q.report,
	}
	w.run(ctx, q.jobs(ctx))
	return errors.Join(q.err(), limiter.Close(), store.Close())
}

func parseLimits(texts []string) (limits []engine.Limit, err error) {
	for _, text := range texts {
		limit, err := engine.ParseLimit(text)
		if err != nil {
			return nil, err
		}
		limits = append(limits, limit)
	}
	return limits, nil
}
