package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/zeroae/zae-limiter-go/internal/dynamolocal"
)

// compose loads compose.yaml, which checks it by Compose's schema.
func compose(t *testing.T) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: ".", ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml"}}, Environment: types.Mapping{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// here are the arguments of a service, with files of this machine instead of the container's.
func here(s types.ServiceConfig) (arguments []string) {
	for _, a := range s.Command {
		for _, v := range s.Volumes {
			a = strings.ReplaceAll(a, v.Target, v.Source)
		}
		arguments = append(arguments, a)
	}
	return arguments
}

// parse reads flags and environment as the program does. It also returns the variables that it knows.
func parse(t *testing.T, arguments []string) (c config, variables []string) {
	t.Helper()
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(arguments); err != nil {
		t.Fatal(err)
	}
	for _, flag := range parser.Model.Flags {
		variables = append(variables, flag.Envs...)
	}
	return c, variables
}

// The gateway's service has flags and variables that the program knows, the table is where DynamoDB Local listens, and streams are
// drained before the container is killed.
func TestComposeGateway(t *testing.T) {
	gateway := compose(t).Services["gateway"]
	for name, value := range gateway.Environment {
		t.Setenv(name, *value)
	}
	c, variables := parse(t, here(gateway)[1:])
	for name := range gateway.Environment {
		if strings.HasPrefix(name, "GATEWAY_") && !slices.Contains(variables, name) {
			t.Errorf("the program knows no variable %s, only %v", name, variables)
		}
	}
	if c.Endpoint != "http://dynamodb:8000" || c.Table != "gateway" || c.CreateTable || c.Upstream.Host != "api.openai.com" {
		t.Errorf("%+v", c)
	}
	if _, err := readKeys(c.Keys); err != nil {
		t.Error(err)
	}
	for n, address := range []string{c.Listen, c.Admin} {
		port := gateway.Ports[n]
		if port.HostIP != "127.0.0.1" || !strings.HasSuffix(address, ":"+port.Published) {
			t.Errorf("%s is published as %+v", address, port)
		}
	}
	if check := strings.Join(gateway.HealthCheck.Test, " "); !strings.HasSuffix(check, "http://127.0.0.1"+strings.TrimPrefix(c.Admin, "0.0.0.0")+"/ready") {
		t.Error(check)
	}
	if grace := time.Duration(*gateway.StopGracePeriod); grace <= c.Drain+5*time.Second { // which httplimit.Serve gives to those that it has cut
		t.Errorf("containers are killed after %v, and the gateway drains for %v", grace, c.Drain)
	}
}

// The gateway starts only when its table and then its limits are there, so that no request finds a model without limits.
func TestComposeOrder(t *testing.T) {
	services := compose(t).Services
	for name, want := range map[string]string{
		"gateway": "limits service_completed_successfully", "limits": "table service_completed_successfully", "table": "dynamodb service_started",
	} {
		var got []string
		for other, d := range services[name].DependsOn {
			got = append(got, other+" "+d.Condition)
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s depends on %q, want %q", name, got, want)
		}
	}
	gateway, _ := parse(t, here(services["gateway"])[1:])
	table := services["table"]
	for name, value := range table.Environment {
		t.Setenv(name, *value)
	}
	if c, _ := parse(t, here(table)[1:]); !c.CreateTable || c.Table != gateway.Table || c.Endpoint != "http://dynamodb:8000" || c.Region != "us-east-1" {
		t.Errorf("%+v", c)
	}
	if limits := services["limits"].Command; !slices.Contains(limits, "--name="+gateway.Table) || !slices.Contains(limits, "--endpoint-url=http://dynamodb:8000") {
		t.Error(limits)
	}
}

// Images have versions, and that of DynamoDB Local is the one that the tests run.
func TestComposeImages(t *testing.T) {
	project := compose(t)
	var images []string
	for _, s := range project.Services {
		images = append(images, s.Image)
		if s.Build != nil && s.Build.Dockerfile != "examples/llm-gateway/Dockerfile" {
			t.Errorf("%s is built by %s", s.Name, s.Build.Dockerfile)
		}
	}
	if got := project.Services["dynamodb"].Image; got != "amazon/dynamodb-local:"+dynamolocal.Version {
		t.Error(got)
	}
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1) {
		images = append(images, from[1])
	}
	for _, image := range images {
		if !regexp.MustCompile(`^[\w./-]+:[0-9][\w.-]*$`).MatchString(image) {
			t.Errorf("image %s has no version", image)
		}
	}
	if len(images) != 6 {
		t.Errorf("there are %v", images)
	}
}
