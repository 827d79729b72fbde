package lambda_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/zeroae/zae-limiter-go/aggregator/lambda/lambdatest"
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	"github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func TestMain(m *testing.M) {
	tests := dynamotest.Wrap(m)
	code := tests.Run()
	lambdatest.Clean()
	os.Exit(code)
}

// deployment is a table with a stream, limiters over it, and the function.
type deployment struct {
	*testing.T
	table   string
	options *dynamo.Options
	store   *dynamo.Store
	stream  *lambdatest.Follower
	at      time.Time
}

// noon is in the future, so that the emulator removes no records.
var noon = time.Date(2040, 5, 31, 12, 0, 0, 0, time.UTC)

func deploy(t *testing.T) *deployment {
	name, o := dynamotest.StreamTable(t)
	return deployed(t, name, o)
}

func deployed(t *testing.T, name string, o *dynamo.Options) *deployment {
	s, err := dynamo.Open(t.Context(), name, o)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return &deployment{T: t, table: name, options: o, store: s, stream: lambdatest.NewFollower(t, *o.Config, name), at: noon}
}

// function starts the built program.
func (d *deployment) function(env ...string) *lambdatest.Runtime {
	return lambdatest.Start(d, lambdatest.Build(d), append([]string{
		"TABLE_NAME=" + d.table, "AWS_REGION=" + d.options.Region, "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_ENDPOINT_URL_DYNAMODB=" + d.options.Endpoint,
	}, env...)...)
}

func (d *deployment) limiter() *engine.Limiter {
	l, err := engine.New(d.store, &engine.Options{
		Now: func() time.Time { return d.at }, Timeout: time.Minute, MaxHold: 100 * time.Hour, Logger: slog.New(slog.DiscardHandler),
	})
	must(d, err)
	d.Cleanup(func() { l.Close() })
	return l
}

func (d *deployment) acquire(l *engine.Limiter, entity string, n int64) *engine.Lease {
	d.Helper()
	lease, err := l.Acquire(d.Context(), engine.Request{
		Entity: entity, Resource: "gpt-4", Consume: engine.Tokens{"rpm": 1, "tpm": n},
		Limits: []engine.Limit{engine.PerMinute("rpm", 1000), engine.PerMinute("tpm", 1_000_000)},
	})
	must(d, err)
	return lease
}

// usage returns the usage that the command line prints.
func (d *deployment) usage(args ...string) string {
	d.Helper()
	cmd := exec.CommandContext(d.Context(), lambdatest.Build(d), append([]string{"usage"}, args...)...)
	cmd.Env = append(os.Environ(), "ZAE_LIMITER_STORE=dynamodb://"+d.table+"?endpoint="+d.options.Endpoint, "TZ=UTC",
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_REGION="+d.options.Region)
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.Fatalf("usage %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// sums returns the summary of each kind of window, as "tokens acquires".
func (d *deployment) sums(l *engine.Limiter, entity string) (all []string) {
	d.Helper()
	for _, w := range []engine.Window{engine.WindowHourly, engine.WindowDaily, engine.WindowMonthly} {
		sum, err := l.UsageSummary(d.Context(), engine.UsageQuery{Entity: entity, Window: w})
		must(d, err)
		all = append(all, fmt.Sprint(sum.Total["rpm"], " ", sum.Total["tpm"], " ", sum.Acquires))
	}
	return all
}

// take returns all stream records of the limiter's namespace.
func (d *deployment) take() []types.Record {
	d.Helper()
	return slices.DeleteFunc(d.stream.Take(), func(r types.Record) bool {
		key, ok := r.Dynamodb.Keys["PK"].(*types.AttributeValueMemberS)
		return !ok || !strings.HasPrefix(key.Value, "default/")
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, not %q", what, got, want)
	}
}

// everyWindow has all kinds of windows.
const everyWindow = "SNAPSHOT_WINDOWS=hourly, daily,monthly"

// From acquire to usage: over the end of a month, with a refund, and with all records delivered again in other batches, also to
// another process of the function.
func TestFromAcquireToUsage(t *testing.T) {
	d := deploy(t)
	l, f := d.limiter(), d.function(everyWindow)
	held := d.acquire(l, "user-1", 100)
	d.at = d.at.Add(11*time.Hour + 59*time.Minute)
	for range 5 {
		d.acquire(l, "user-1", 10)
		d.acquire(l, "user-2", 1)
		d.at = d.at.Add(20 * time.Second)
	}
	must(t, held.Rollback(t.Context()))
	d.stream.Size = 3
	d.stream.Deliver(f)
	if len(d.stream.GivenUp) > 0 {
		t.Fatalf("%d records given up", len(d.stream.GivenUp))
	}
	want := []string{"5 50 6", "5 50 6", "5 50 6"}
	same(t, "user-1", d.sums(l, "user-1"), want)
	same(t, "user-2", d.sums(l, "user-2"), []string{"5 5 5", "5 5 5", "5 5 5"})
	same(t, "usage list", strings.Split(d.usage("list", "-e", "user-1", "-w", "monthly"), "\n"), []string{
		"START                 WINDOW   ENTITY  RESOURCE  ACQUIRES  TOKENS",
		"2040-05-01 00:00:00Z  monthly  user-1  gpt-4     4         rpm=4 tpm=130",
		"2040-06-01 00:00:00Z  monthly  user-1  gpt-4     2         rpm=1 tpm=-80", "",
	})

	again := lambdatest.NewFollower(t, *d.options.Config, d.table)
	f.Kill()
	f = d.function(everyWindow)
	again.Deliver(f)
	all := lambdatest.NewFollower(t, *d.options.Config, d.table).Take()
	for size := 1; size <= len(all); size += 3 {
		if n := lambdatest.Invoke(t.Context(), t, f, all[:size]); n != size {
			t.Errorf("of %d records again %d were taken in", size, n)
		}
	}
	same(t, "user-1 again", d.sums(l, "user-1"), want)
	if !f.Wrote(`"counted":0,"skipped":`) {
		t.Errorf("the log does not tell what was skipped:\n%s", f.Log())
	}
}

// An unreadable record is reported, retried and abandoned; other buckets are not affected.
func TestPoison(t *testing.T) {
	d := deploy(t)
	l, f := d.limiter(), d.function()
	for range 3 {
		d.acquire(l, "bad", 1)
		d.acquire(l, "good", 1)
		d.at = d.at.Add(time.Second)
	}
	records := d.take()
	var poison *types.Record
	for i := range records {
		image := records[i].Dynamodb.NewImage
		if key, ok := image["PK"].(*types.AttributeValueMemberS); ok && strings.Contains(key.Value, "bad") {
			image["l"] = &types.AttributeValueMemberB{Value: []byte{9}}
			poison = &records[i]
			break
		}
	}
	at := slices.IndexFunc(records, func(r types.Record) bool { return r.EventID == poison.EventID })
	for range 2 {
		if n := lambdatest.Invoke(t.Context(), t, f, records); n != at {
			t.Fatalf("%d records were taken in, %d come before the poison", n, at)
		}
	}
	same(t, "good", d.sums(l, "good")[:2], []string{"3 3 3", "3 3 3"})
	same(t, "bad, behind the poison", d.sums(l, "bad")[:2], []string{"0 0 0", "0 0 0"})
	if number := aws.ToString(poison.Dynamodb.SequenceNumber); !f.Wrote(`"sequence_number":"` + number + `"`) {
		t.Errorf("the log does not name record %s:\n%s", number, f.Log())
	}
	rest := slices.Delete(slices.Clone(records), at, at+1) // Lambda has abandoned it
	if n := lambdatest.Invoke(t.Context(), t, f, rest); n != len(rest) {
		t.Errorf("%d of %d were taken in without the poison", n, len(rest))
	}
	same(t, "bad, without the poison", d.sums(l, "bad")[:2], []string{"2 2 2", "2 2 2"})
	rest[0].Dynamodb.NewImage["~unknown"], rest[0].Dynamodb.OldImage = &types.AttributeValueMemberBOOL{Value: true}, nil
	if n := lambdatest.Invoke(t.Context(), t, f, rest); n != 0 {
		t.Errorf("an attribute of an unknown kind: %d taken in", n)
	}
	rest[1].Dynamodb.NewImage, rest[1].Dynamodb.OldImage = nil, nil
	if n := lambdatest.Invoke(t.Context(), t, f, rest[1:]); n != 0 || !f.Wrote("NEW_AND_OLD_IMAGES") {
		t.Errorf("a record without images: %d taken in", n)
	}
}

// How Lambda handles an unreadable record in the table: three attempts, then it continues without the record.
func TestPoisonIsGivenUp(t *testing.T) {
	d := deploy(t)
	l, f := d.limiter(), d.function()
	d.acquire(l, "bad", 1)
	key, _ := schema.Bucket("default", "bad", "gpt-4")
	at := backend.Int(noon.UnixNano() + 5)
	change := func(packed string) {
		w := backend.Write{Key: key, Layout: schema.BucketLayout, Effects: []backend.Effect{
			{Slot: schema.L, Op: backend.Set, Text: packed}, {Slot: schema.Ver, Op: backend.Add, Num: backend.Int(1)}, {Slot: schema.At, Op: backend.Set, Num: at},
		}}
		must(t, d.store.Apply(t.Context(), []backend.Write{w}, make([]backend.Outcome, 1)))
	}
	record := make([]backend.Record, 1)
	record[0].Reset(schema.BucketLayout)
	must(t, d.store.Read(t.Context(), []backend.Key{key}, record))
	was, _ := record[0].Text(schema.L)
	change("\x09")
	d.acquire(l, "good", 1)
	change(was) // the record before this change is unreadable
	d.acquire(l, "bad", 1)
	d.stream.Deliver(f)
	if n := len(d.stream.GivenUp); n != 2 {
		t.Errorf("%d records were given up, not the poison and the one behind it", n)
	}
	same(t, "good", d.sums(l, "good")[:2], []string{"1 1 1", "1 1 1"})
	same(t, "bad", d.sums(l, "bad")[:2], []string{"2 2 2", "2 2 2"})
}

// If the table is unreachable nothing is lost: all records are delivered again.
func TestTableUnreachable(t *testing.T) {
	d := deploy(t)
	l := d.limiter()
	d.acquire(l, "user-1", 7)
	records := d.take()
	f := d.function("AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1")
	if n := lambdatest.Invoke(t.Context(), t, f, records); n != 0 {
		t.Errorf("without a table %d records were taken in", n)
	}
	if n := lambdatest.Invoke(t.Context(), t, d.function(), records); n != len(records) {
		t.Errorf("%d of %d taken in", n, len(records))
	}
	same(t, "user-1", d.sums(l, "user-1")[:2], []string{"1 7 1", "1 7 1"})
}

// archive is an S3 server with one bucket.
func archive(t *testing.T) (store *s3mem.Backend, env []string) {
	store = s3mem.New()
	must(t, store.CreateBucket("archive"))
	server := httptest.NewServer(gofakes3.New(store).Server())
	t.Cleanup(server.Close)
	return store, []string{"ARCHIVE_BUCKET_NAME=archive", "AWS_ENDPOINT_URL_S3=" + server.URL}
}

// Audit events expire according to the environment, and are archived when DynamoDB has removed them.
func TestAuditArchive(t *testing.T) {
	server := dynamotest.Start(t, &dynamotest.Options{Version: "2.6.1"}) // only this version removes expired records as DynamoDB does
	name, o := server.StreamTable(t)
	d := deployed(t, name, o)
	bucket, env := archive(t)
	f := d.function(append(env, "AUDIT_RETENTION_DAYS=30")...)
	d.at = time.Now().Add(-31 * 24 * time.Hour)
	must(t, d.limiter().CreateEntity(t.Context(), engine.Entity{ID: "user-1", Name: "One"}, nil))
	d.stream.Deliver(f)
	dynamotest.EnableTTL(t, name, o, "ttl")
	var list *gofakes3.ObjectList
	for deadline := time.Now().Add(2 * time.Minute); list == nil || len(list.Contents) == 0; {
		if time.Now().After(deadline) {
			t.Fatalf("nothing was archived; the function's log:\n%s", f.Log())
		}
		d.stream.Deliver(f)
		var err error
		list, err = bucket.ListBucket("archive", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
		must(t, err)
	}
	if n := lambdatest.Invoke(t.Context(), t, f, lambdatest.NewFollower(t, *o.Config, name).Take()); n == 0 {
		t.Error("again: nothing taken in")
	}
	list, err := bucket.ListBucket("archive", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	must(t, err)
	if folder := d.at.UTC().Format("audit/year=2006/month=01/day=02/"); len(list.Contents) != 1 || !strings.HasPrefix(list.Contents[0].Key, folder) {
		t.Errorf("the bucket has %v", list.Contents)
	}
}

// A function with an invalid environment names the variable and exits.
func TestEnvironment(t *testing.T) {
	program := lambdatest.Build(t)
	for want, env := range map[string]string{
		`TABLE_NAME is ""`:              "TABLE_NAME=",
		`no window "weekly"`:            "SNAPSHOT_WINDOWS=weekly",
		`USAGE_RETENTION_DAYS is "0"`:   "USAGE_RETENTION_DAYS=0",
		`AUDIT_RETENTION_DAYS is "old"`: "AUDIT_RETENTION_DAYS=old",
	} {
		f := lambdatest.Start(t, program, "TABLE_NAME=table", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
			"AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1", env)
		<-f.Exited()
		if log := f.Log(); !strings.Contains(log, want) || bytes.Count([]byte(log), []byte("\n")) != 1 {
			t.Errorf("with %s: %s", env, log)
		}
	}
}
