package dynamolocal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// Version is what is run unless something else is asked for.
	Version = "3.1.0"
	// VersionExact reports a transaction's units and the stream records of expired items as DynamoDB does, which
	// [Version] does not.
	VersionExact = "2.6.1"
)

// release is where Maven has a version, and how its program is called.
type release struct{ group, main string }

var releases = map[string]release{
	Version:      {"software.amazon.dynamodb", "software.amazon.dynamodb.services.local.main.ServerRunner"},
	VersionExact: {"com.amazonaws", "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"},
}

// Program is an installed DynamoDB Local.
type Program struct {
	Java string // the java command
	Jars string // folder of the class path
	Main string // class to run
}

// Flags say how it is run.
type Flags struct {
	Port   int    // on all addresses
	Data   string // folder to keep the tables in; "" keeps them in memory
	Folder string // for the temporary files of the process, which leaves them behind when it is killed; "" for the system's
}

// Quick are flags of Java with which DynamoDB Local starts soon and takes half of the processor time, and little memory.
var Quick = []string{"-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

// Command is the command line that runs it, 200 MB large.
func (p Program) Command(f Flags) []string {
	line := append([]string{p.Java}, Quick...)
	if f.Folder != "" {
		line = append(line, "-Djava.io.tmpdir="+f.Folder)
	}
	line = append(line, "-cp", filepath.Join(p.Jars, "*"), p.Main, "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(f.Port))
	if f.Data != "" {
		return append(line, "-dbPath", f.Data)
	}
	return append(line, "-inMemory")
}

// CacheFolder is the folder in the user's cache for [Get].
func CacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("dynamolocal: no folder to keep DynamoDB Local in; set HOME: %w", err)
	}
	return filepath.Join(cache, "zae-limiter", "dynamodb-local"), nil
}

// Get finds a version in the cache folder, and has Maven fetch it if it is not there: 50 MB, in a quarter of a minute,
// once. Several processes may do so at the same time. [ErrMissing] reports that Java is missing, or Maven where it is
// needed.
func Get(ctx context.Context, version, cache string) (Program, error) {
	r, known := releases[version]
	if !known {
		return Program{}, fmt.Errorf("%w of DynamoDB Local: %q; there are %s and %s", errVersion, version, Version, VersionExact)
	}
	java, err := findJava()
	if err != nil {
		return Program{}, err
	}
	folder := filepath.Join(cache, version)
	p := Program{Java: java, Jars: filepath.Join(folder, "lib"), Main: r.main}
	if present(p.Jars) {
		return p, nil
	}
	unlock, err := Lock(ctx, filepath.Join(cache, "fetch.lock"))
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	if present(p.Jars) { // another process was faster
		return p, nil
	}
	return p, fetch(ctx, r.group, version, folder)
}

// findJava finds the Java of JAVA_HOME, else that of PATH.
func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if java, err := exec.LookPath(filepath.Join(home, "bin", "java")); err == nil {
			return java, nil
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", missing("java", "install a Java runtime of version 17 or newer (Debian: apt install default-jre-headless)")
	}
	return java, nil
}

func present(folder string) bool {
	_, err := os.Stat(folder)
	return err == nil
}

// pom asks for the program with all it needs. The plugin's version is pinned, else it would be Maven's choice.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>dynamodb-local</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>%s</groupId><artifactId>DynamoDBLocal</artifactId><version>%s</version>
  </dependency></dependencies>
</project>
`

const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"

// fetch fills folder, which appears when it is complete.
func fetch(ctx context.Context, group, version, folder string) error {
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return missing("mvn", "install Maven, which fetches DynamoDB Local (Debian: apt install maven)")
	}
	part, err := os.MkdirTemp(filepath.Dir(folder), version+".part-")
	if err != nil {
		return fmt.Errorf("dynamolocal: %w", err)
	}
	defer os.RemoveAll(part) //nolint:errcheck // it has another name by now, or is of no use
	project := filepath.Join(part, "pom.xml")
	if err := os.WriteFile(project, fmt.Appendf(nil, pom, group, version), 0o600); err != nil {
		return fmt.Errorf("dynamolocal: %w", err)
	}
	run := exec.CommandContext(ctx, maven, "-B", "-q", "-f", project, copyDependencies,
		"-DoutputDirectory="+filepath.Join(part, "lib"), "-DincludeScope=runtime")
	run.Dir = part
	run.WaitDelay = 5 * time.Second
	if output, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s: %w: %s", errMaven, version, err, telling(string(output)))
	}
	if err := os.Rename(part, folder); err != nil {
		return fmt.Errorf("dynamolocal: %w", err)
	}
	return nil
}

// Ports that FreePort looks at, below those that systems give to outgoing connections by themselves: one of these may
// be taken in the moment between the look and its use, and often is where much goes on.
const (
	lowestPort = 15_000
	ports      = 15_000
)

// FreePort is a port that nothing listens on, on any address of this machine, now.
func FreePort(ctx context.Context) (int, error) {
	var failed error
	for range 100 {
		port := lowestPort + rand.IntN(ports)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
		failed = err
	}
	return 0, fmt.Errorf("dynamolocal: %w", failed)
}

// polling is the time between two looks.
const polling = 25 * time.Millisecond

// Await returns when something answers HTTP at the endpoint. It gives up with ctx, and with [ErrEnded] and the end of
// the log file, if there is one, when ended is closed; nil for an emulator whose end cannot be seen.
func Await(ctx context.Context, endpoint string, ended <-chan struct{}, log string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	tick := time.NewTicker(polling)
	defer tick.Stop()
	for {
		err := ask(ctx, client, endpoint)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%w: %s", ErrEnded, tail(log))
		case <-ctx.Done():
			return fmt.Errorf("dynamolocal: %s does not answer: %w: %w", endpoint, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func ask(ctx context.Context, client *http.Client, endpoint string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(endpoint, "/")+"/", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close() // DynamoDB Local says 400 to this
}

func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return "no log: " + err.Error()
	}
	return telling(string(text))
}
