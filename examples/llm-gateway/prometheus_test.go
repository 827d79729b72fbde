package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/internal/alltests"
	"github.com/zeroae/zae-limiter-go/internal/pause"
)

// Prometheus itself scrapes a gateway, and answers what the dashboard asks.
func TestPrometheus(t *testing.T) {
	s, u := dynamotest.Shared(t), newUpstream(t)
	g := runOn(t, s, newTable(t, s), u)
	g.setLimits(t)
	server := startPrometheus(t, g.admin)
	for range 3 {
		if a := send(t.Context(), t, g.api, "bob", wholeCall); a.status != http.StatusOK {
			t.Fatal(a.status)
		}
	}
	wantValue(t, server, `up`, "1")
	wantValue(t, server, `sum by (zae_limiter_outcome) (zae_limiter_decisions_total{zae_limiter_resource="gpt-4"})`, "3")
	wantValue(t, server, `sum(zae_limiter_active_leases)`, "0")
	wantValue(t, server, `sum(zae_limiter_store_units_total) > bool 0`, "1")
	wantValue(t, server, `count(ALERTS) or vector(0)`, "0")

	// What has not happened is 0, so that increase() sees it when it happens first.
	wantValue(t, server, `count(zae_limiter_events_total)`, "8")
	wantValue(t, server, `sum(zae_limiter_degraded_total) + sum(zae_limiter_refunds_lost_total)`, "0")
	const changed = `sum(increase(zae_limiter_events_total{zae_limiter_kind="config_changed"}[1m])) > bool 0`
	wantValue(t, server, changed, "0")
	if err := g.limiter(t).SetResourceDefaults(t.Context(), "gpt-4", []engine.Limit{engine.PerMinute("rpm", 600), engine.PerMinute("tpm", 20_000)}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, changed, func() string {
		_ = send(t.Context(), t, g.api, "bob", wholeCall) // the gateway looks for changes while it serves
		return value(t, server, changed)
	}, "1")
}

// startPrometheus starts a server that scrapes gateways each second, with the alert rules, and returns its URL. It skips the test if
// there is none, or fails it if that is required.
func startPrometheus(t *testing.T, gateways ...string) string {
	t.Helper()
	program := alltests.Program(t, "prometheus", "prometheus", "install Debian's package prometheus")
	rules, err := filepath.Abs("../../otellimit/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := json.Marshal(gateways)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	settings := fmt.Sprintf("global: {scrape_interval: 1s}\nrule_files: [%q]\nscrape_configs: [{job_name: gateway, static_configs: [{targets: %s}]}]\n",
		rules, strings.ReplaceAll(string(targets), "http://", ""))
	if err := os.WriteFile(filepath.Join(folder, "prometheus.yml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0")
	server.Dir = folder
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if _, address, listens := strings.Cut(lines.Text(), `"Listening on" address=`); listens {
			go func() { // it would wait for somebody who reads
				for lines.Scan() {
				}
			}()
			return "http://" + address
		}
	}
	t.Fatal("prometheus does not listen")
	return ""
}

// value asks a Prometheus for the value of an expression, "" if it has none yet.
func value(t *testing.T, server, expression string) string {
	t.Helper()
	_, text := get(t, server+"/api/v1/query?query="+url.QueryEscape(expression))
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err, text)
	}
	if len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// wantValue waits until a Prometheus has seen a value.
func wantValue(t *testing.T, server, expression, want string) {
	t.Helper()
	waitFor(t, expression, func() string { return value(t, server, expression) }, want)
}

// waitFor waits until get returns what a test wants.
func waitFor(t *testing.T, what string, get func() string, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for get() != want {
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			t.Fatalf("%s is %q, not %q: %v", what, get(), want, err)
		}
	}
}
