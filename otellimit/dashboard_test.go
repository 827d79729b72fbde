package otellimit_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
	"github.com/zeroae/zae-limiter-go/internal/prices"
	"github.com/zeroae/zae-limiter-go/otellimit"
)

// scrape returns the names and the labels that Prometheus gets after one event of each kind.
func scrape(t *testing.T) (text string, names []string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		t.Fatal(err)
	}
	observer, err := otellimit.New(metric.NewMeterProvider(metric.WithReader(reader)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for kind := engine.EventDecision; kind <= engine.EventUsageLost; kind++ {
		for _, allowed := range []bool{false, true} {
			e := engine.Event{
				Kind: kind, Entity: "a", Resource: "api", Allowed: allowed, Cached: !allowed, Limit: "rpm", Denier: "a", Attempts: 1,
				Level: engine.LevelSystem, Tokens: engine.Tokens{"rpm": 1}, Call: "read", Requests: 1, Units: 1, Err: backend.ErrUnavailable, Waited: 1,
			}
			observer.Observe(e)
		}
	}
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "#") {
			names = append(names, name.FindAllString(quoted.ReplaceAllString(line, ""), -1)...)
		}
	}
	slices.Sort(names)
	return string(body), slices.Compact(names)
}

var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	name   = regexp.MustCompile(`\b(?:zae_limiter|error)_\w+`)
	value  = regexp.MustCompile(`(\w+)(=~?)"([a-z_|]+)"`) // of a label in an expression
)

// expressions returns all expressions of the dashboard and of the alerts.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct{ List []struct{ Query string } }
	}
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	parse(t, "grafana.json", json.Unmarshal, &dashboard)
	parse(t, "alerts.yaml", unmarshalYAML, &alerts)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr, target.LegendFormat)
		}
	}
	for _, variable := range dashboard.Templating.List {
		all = append(all, variable.Query)
	}
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			if rule.Expr == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("alert %q lacks an expression, a summary or a description", rule.Alert)
			}
			all = append(all, rule.Expr, rule.Annotations["summary"], rule.Annotations["description"])
		}
	}
	return all
}

// unmarshalYAML is yaml.Unmarshal without its options.
func unmarshalYAML(text []byte, to any) error { return yaml.UnmarshalWithOptions(text, to) }

func parse(t *testing.T, file string, unmarshal func([]byte, any) error, to any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = unmarshal(text, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// Whatever the dashboard and the alerts ask for is what Prometheus gets: names, labels and values. The dashboard shows every metric.
func TestDashboardAndAlerts(t *testing.T) {
	text, emitted := scrape(t)
	var used []string
	for _, e := range expressions(t) {
		for _, n := range name.FindAllString(quoted.ReplaceAllString(e, ""), -1) {
			used = append(used, n)
			if !slices.Contains(emitted, n) {
				t.Errorf("%q: no metric or label is called %s", e, n)
			}
		}
		for _, match := range value.FindAllStringSubmatch(e, -1) {
			for v := range strings.SplitSeq(match[3], "|") {
				if !strings.Contains(text, match[1]+`="`+v+`"`) && !documented(t, v) {
					t.Errorf("%q: label %s never is %q", e, match[1], v)
				}
			}
		}
	}
	for _, n := range emitted {
		if n = strings.TrimSuffix(n, "_sum"); !slices.ContainsFunc(used, func(u string) bool { return strings.HasPrefix(u, n) }) {
			t.Errorf("neither the dashboard nor an alert shows %s", n)
		}
	}
	if len(emitted) < 10 {
		t.Errorf("Prometheus gets no more than %v", emitted)
	}
}

// The dashboard's costs have the prices of the documents.
func TestDashboardPrices(t *testing.T) {
	for calls, price := range map[string]float64{"apply|commit": prices.OnDemand.Write, "read|list|scan": prices.OnDemand.Read} {
		want := fmt.Sprintf(`zae_limiter_store_units_total{zae_limiter_call=~%q}[$__rate_interval])) * 3600 * %v / 1e6`, calls, price)
		if !slices.ContainsFunc(expressions(t), func(e string) bool { return strings.Contains(e, want) }) {
			t.Errorf("no expression has %s", want)
		}
	}
}

// documented reports whether the package's documentation lists a value: the test does not meet each call and each type of error.
func documented(t *testing.T, value string) bool {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`//\t(?:call|error\.type) .*\b` + value + `\b`).Match(text)
}

// The documentation lists each metric and attribute under the name that OpenTelemetry gets.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	observer, read := observe(t, nil)
	for kind := engine.EventDecision; kind <= engine.EventUsageLost; kind++ {
		observer.Observe(engine.Event{
			Kind: kind, Resource: "r", Limit: "l", Tokens: engine.Tokens{"l": 1}, Call: "read", Requests: 1, Units: 1, Err: backend.ErrRejected, Waited: 1,
		})
		if !strings.Contains(string(text), kind.String()) && kind > engine.EventRefundLost && kind != engine.EventLeaseEnded {
			t.Errorf("doc.go does not list kind %s", kind)
		}
	}
	for series := range read() {
		metricName, attributes, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		row := regexp.MustCompile(`(?m)^//\tzae_limiter\.` + regexp.QuoteMeta(metricName) + ` .*$`).FindString(string(text))
		if row == "" {
			t.Errorf("doc.go does not list %s", metricName)
		}
		for pair := range strings.SplitSeq(attributes, ",") {
			key, _, _ := strings.Cut(pair, "=")
			if !strings.Contains(row, key) && !strings.Contains(row, "the same") {
				t.Errorf("doc.go does not list %s of %s", key, metricName)
			}
		}
	}
}

// Prometheus itself accepts the alerts, and raises them when it should.
func TestPromtool(t *testing.T) {
	promtool := alltests.Program(t, "prometheus", "promtool", "install Debian's package prometheus")
	for _, arguments := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		if out, err := exec.Command(promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}
