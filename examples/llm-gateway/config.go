package main

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/engine"
)

const (
	startTime  = time.Minute // for DynamoDB Local
	startPause = time.Second / 2
)

// config are the flags. Each has an environment variable.
type config struct {
	Listen        string        `help:"Address of the API." default:"127.0.0.1:8080" env:"GATEWAY_LISTEN"`
	Admin         string        `help:"Address of /metrics and /ready." default:"127.0.0.1:9090" env:"GATEWAY_ADMIN"`
	Keys          string        `help:"File with the ids of the keys and the hashes of their secrets." default:"keys.json" type:"existingfile" env:"GATEWAY_KEYS"`
	Upstream      *url.URL      `help:"URL of the upstream API." default:"https://api.openai.com" env:"GATEWAY_UPSTREAM"`
	UpstreamKey   string        `help:"Key for the upstream API." env:"GATEWAY_UPSTREAM_KEY"`
	Table         string        `help:"Table of the limits." default:"gateway" env:"GATEWAY_TABLE"`
	Region        string        `help:"Region of the table." env:"AWS_REGION"`
	Endpoint      string        `help:"Endpoint of DynamoDB, if it is not that of the region." env:"GATEWAY_ENDPOINT"`
	CreateTable   bool          `help:"Create the table if it is missing, and end. Only for DynamoDB Local." env:"GATEWAY_CREATE_TABLE"`
	Timeout       time.Duration `help:"How long DynamoDB may take for a decision." default:"1s" env:"GATEWAY_TIMEOUT"`
	OnUnavailable engine.Policy `help:"What happens to requests if DynamoDB cannot be reached: allow, local or block." default:"allow" env:"GATEWAY_ON_UNAVAILABLE"`
	LocalShare    float64       `help:"Part of each limit that this process admits under --on-unavailable=local: with N processes, 1/N." env:"GATEWAY_LOCAL_SHARE"`
	Drain         time.Duration `help:"How long requests may go on when the gateway shuts down. Streams that take longer are cut." default:"20s" env:"GATEWAY_DRAIN"`
}

// dynamo are the options of the table.
func (c *config) dynamo() *dynamo.Options {
	return &dynamo.Options{Region: c.Region, Endpoint: c.Endpoint}
}

// createTable creates the table if it is missing. DynamoDB Local may still be starting.
func (c *config) createTable(ctx context.Context) error {
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := dynamo.CreateTable(ctx, c.Table, c.dynamo())
		if exists := new(types.ResourceInUseException); errors.As(err, &exists) {
			return nil
		}
		if !errors.Is(err, backend.ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(startPause):
		case <-starting.Done():
			return err
		}
	}
}
