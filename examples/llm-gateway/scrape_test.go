package main

import (
	"os/exec"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape gets the metrics of a gateway as Prometheus reads them.
func scrape(t *testing.T, admin string) map[string]*dto.MetricFamily {
	t.Helper()
	status, text := get(t, admin+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if status != 200 || err != nil {
		t.Fatal(status, err)
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		check := exec.Command(promtool, "check", "metrics")
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	return families
}

// decisions are how many calls were admitted, and how many denied.
func decisions(t *testing.T, admin string) map[string]float64 {
	t.Helper()
	sum := map[string]float64{}
	for _, m := range scrape(t, admin)["zae_limiter_decisions_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "zae_limiter_outcome" {
				sum[l.GetValue()] += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
