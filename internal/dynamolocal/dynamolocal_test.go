package dynamolocal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs makes PATH a folder with these shell scripts only.
func programs(t *testing.T, scripts map[string]string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	folder := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	t.Setenv("JAVA_HOME", "")
}

// maven does what the real one does with the arguments that it gets.
const maven = `
for a in "$@"; do case $a in -DoutputDirectory=*) out=${a#*=} ;; esac; done
/bin/mkdir -p "$out"
while read -r line; do case $line in *"<version>$WANT</version>"*) found=yes ;; esac; done < pom.xml
[ "$found" = yes ] || { echo "[ERROR] the pom has no version $WANT"; exit 1; }
echo fetched >> "$out/DynamoDBLocal-$WANT.jar"
`

func TestGet(t *testing.T) {
	programs(t, map[string]string{"java": "", "mvn": maven})
	cache := filepath.Join(t.TempDir(), "cache")
	for version, main := range map[string]string{
		Version:      "software.amazon.dynamodb.services.local.main.ServerRunner",
		VersionExact: "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
	} {
		t.Setenv("WANT", version)
		p, err := Get(t.Context(), version, cache)
		if err != nil {
			t.Fatal(err)
		}
		line := p.Command(Flags{Port: 4711, Folder: "/f"})
		text := strings.Join(line, " ")
		if !slices.Contains(line, main) || !strings.Contains(text, " -port 4711 -inMemory") || !strings.Contains(text, "-Djava.io.tmpdir=/f ") {
			t.Error(text)
		}
		if text = strings.Join(p.Command(Flags{Data: "/d"}), " "); !strings.HasSuffix(text, "-dbPath /d") || strings.Contains(text, "inMemory") {
			t.Error(text)
		}
		jar := filepath.Join(cache, version, "lib", "DynamoDBLocal-"+version+".jar")
		if got, err := os.ReadFile(jar); string(got) != "fetched\n" {
			t.Errorf("%q, %v", got, err)
		}
	}
	programs(t, map[string]string{"java": ""})
	if _, err := Get(t.Context(), Version, cache); err != nil {
		t.Errorf("what is in the cache needs no Maven: %v", err)
	}
}

// TestGetTogether has many do the same at once: one fetches.
func TestGetTogether(t *testing.T) {
	programs(t, map[string]string{"java": "", "mvn": maven})
	t.Setenv("WANT", Version)
	cache := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			p, err := Get(t.Context(), Version, cache)
			got, err2 := os.ReadFile(filepath.Join(p.Jars, "DynamoDBLocal-"+Version+".jar"))
			if err := errors.Join(err, err2); err != nil || string(got) != "fetched\n" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	left, err := filepath.Glob(filepath.Join(cache, "*.part-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestGetFails(t *testing.T) {
	for _, c := range []struct {
		name, version string
		programs      map[string]string
		is            error
		says          string
	}{
		{"version", "1.0", map[string]string{"java": "", "mvn": maven}, errVersion, "3.1.0 and 2.6.1"},
		{"no java", Version, map[string]string{"mvn": maven}, ErrMissing, "java is not in PATH; install"},
		{"no maven", Version, map[string]string{"java": ""}, ErrMissing, "mvn is not in PATH; install"},
		{"maven fails", Version, map[string]string{"java": "", "mvn": "echo '[ERROR] no such artifact'; echo '[ERROR] [Help 1]'; exit 1"}, errMaven, "exit status 1: [ERROR] no such artifact"},
		{"maven hangs", Version, map[string]string{"java": "", "mvn": "exec /bin/sleep 60"}, errMaven, "signal: killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			programs(t, c.programs)
			cache := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := Get(ctx, c.version, cache)
			if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Error(err)
			}
			if left, err := filepath.Glob(filepath.Join(cache, "[0-9]*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestJavaHome(t *testing.T) {
	programs(t, map[string]string{"java": ""})
	home := t.TempDir()
	t.Setenv("JAVA_HOME", home)
	first, err := findJava()
	if err != nil || strings.HasPrefix(first, home) {
		t.Errorf("a JAVA_HOME without Java: %s, %v", first, err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(home, "bin"), 0o700), os.WriteFile(filepath.Join(home, "bin", "java"), nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	if second, err := findJava(); err != nil || second != filepath.Join(home, "bin", "java") {
		t.Errorf("%s, %v", second, err)
	}
}

func TestAwait(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer server.Close()
	if err := Await(t.Context(), server.URL, nil, ""); err != nil {
		t.Error(err)
	}
	server.Close()
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("SLF4J: no logger\njava.net.BindException: Address already in use\n\tat java.base\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	close(ended)
	if err := Await(t.Context(), server.URL, ended, log); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "answered: java.net.BindException: Address already in use") {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := Await(ctx, server.URL, nil, ""); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not answer") {
		t.Error(err)
	}
}

func TestLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no lock on Windows")
	}
	path := filepath.Join(t.TempDir(), "folder", "lock")
	unlock, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	unlock()
	unlock, err = Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestTelling(t *testing.T) {
	for output, want := range map[string]string{
		"":                             "no output",
		"a\nb\n\n":                     "b",
		"x\n[ERROR] first\n[ERROR]":    "[ERROR] first",
		"y" + strings.Repeat("ä", 300): "y" + strings.Repeat("ä", 199) + "…",
	} {
		if got := telling(output); got != want {
			t.Errorf("%q: %q", output, got)
		}
	}
}
