package stack

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

const (
	tableKind  = "AWS::DynamoDB::Table"
	bucketKind = "AWS::S3::Bucket"
)

// put archives an object in two versions.
func (w *world) put(bucket string, keys ...string) {
	w.t.Helper()
	client := s3.NewFromConfig(w.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	for _, key := range append(keys, keys...) {
		if _, err := client.PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(key)}); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &keys[0]}); err != nil {
		w.t.Fatal(err)
	}
}

// The table and the bucket are deleted with the stack, the bucket with all versions and delete markers.
func TestDelete(t *testing.T) {
	w := newWorld(t, nil)
	bucket := w.mustEnsure(with()).Info.Bucket
	w.put(bucket, "audit/1", "audit/2")
	w.mustDelete(DeleteOptions{})
	if w.Exists(tableKind, app) || w.Exists(bucketKind, bucket) || w.Stack(app).Status != "DELETE_COMPLETE" {
		t.Error("something is left")
	}
	before := w.Counts()
	w.mustDelete(DeleteOptions{}) // nothing is left
	if after := w.Counts(); after["DeleteStack"] != before["DeleteStack"] || after["DeleteTable"] != before["DeleteTable"] {
		t.Errorf("%v", after)
	}
}

// The next deployment adopts data that were kept, or the next deletion deletes them.
func TestKeepData(t *testing.T) {
	w := newWorld(t, nil)
	bucket := w.mustEnsure(with()).Info.Bucket
	w.put(bucket, "audit/1", "audit/2")
	w.mustDelete(DeleteOptions{KeepData: true})
	if !w.Exists(tableKind, app) || !w.Exists(bucketKind, bucket) || w.Stack(app).Status != "DELETE_COMPLETE" {
		t.Fatal("something is gone")
	}
	p, err := w.session(with()).plan(t.Context())
	if got := changed(p.Changes); err != nil || p.Action != Adopted || len(got) != 2 || got[0] != "Import Table" {
		t.Errorf("%v, %v", p, err)
	}
	r := w.mustEnsure(with(func(o *Options) { o.LambdaMemory = 512 }))
	if r.Action != Adopted || r.Info.Bucket != bucket || !r.Info.Aggregator || r.After["LambdaMemorySize"] != "512" || !w.has("Table", "IMPORT_COMPLETE") || w.has("Table", "CREATE_IN_PROGRESS") && w.Counts()["ExecuteChangeSet"] != 4 {
		t.Errorf("%+v\n%s", r, w.story())
	}
	if len(w.Objects(bucket)) != 2 { // audit/2 and the code
		t.Errorf("in the bucket is %v", w.Objects(bucket))
	}
	w.mustDelete(DeleteOptions{KeepData: true})
	w.mustDelete(DeleteOptions{})
	if w.Exists(tableKind, app) || w.Exists(bucketKind, bucket) {
		t.Error("something is left")
	}
}

// Only one of the two may remain.
func TestAdoptOne(t *testing.T) {
	for _, kept := range []string{tableKind, bucketKind} {
		w := newWorld(t, nil)
		bucket := w.mustEnsure(with()).Info.Bucket
		w.mustDelete(DeleteOptions{KeepData: true})
		if kept == bucketKind {
			w.dropTable()
		} else if err := w.session(Options{}).deleteBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		r := w.mustEnsure(with())
		if r.Action != Adopted || !r.Info.Aggregator || !r.Info.Available || r.Info.Bucket != bucket || len(w.Objects(bucket)) != 1 {
			t.Errorf("%s: %+v\n%s", kept, r, w.story())
		}
	}
}

// An adoption keeps the table's protection unless the caller sets it.
func TestAdoptProtected(t *testing.T) {
	w := newWorld(t, nil)
	on := true
	w.mustEnsure(with(func(o *Options) { o.DeletionProtection = &on }))
	w.mustDelete(DeleteOptions{KeepData: true})
	if r := w.mustEnsure(with()); r.Action != Adopted || r.After["EnableDeletionProtection"] != "true" {
		t.Errorf("%+v", r)
	}
}

// Deleting something protected fails before anything changes, unless Force is set.
func TestProtected(t *testing.T) {
	on := true
	for _, o := range []Options{{DeletionProtection: &on}, {TerminationProtection: &on}} {
		w := newWorld(t, nil)
		o.Code = codeFor("arm64")
		w.mustEnsure(o)
		if err := w.delete(DeleteOptions{}); !errors.Is(err, ErrProtected) || w.Counts()["DeleteStack"] > 0 {
			t.Errorf("%v", err)
		}
		w.mustDelete(DeleteOptions{Force: true})
		if w.Exists(tableKind, app) || w.Stack(app).Status != "DELETE_COMPLETE" {
			t.Error("something is left")
		}
	}
}

// A bucket that CloudFormation cannot delete is emptied, and the stack deleted again; with KeepData the bucket is kept.
func TestBucketInTheWay(t *testing.T) {
	const reason = "The bucket you tried to delete is not empty (Service: S3, Status Code: 409, Request ID: 1)"
	for _, keep := range []bool{false, true} {
		w := newWorld(t, nil)
		deletable(t)
		bucket := w.mustEnsure(with()).Info.Bucket
		w.put(bucket, "audit/1")
		if keep {
			w.Fail("delete", "Table", "no") // like the bucket, which is not empty
		}
		w.mustDelete(DeleteOptions{KeepData: keep})
		if w.Exists(bucketKind, bucket) != keep || w.Stack(app).Status != "DELETE_COMPLETE" || !w.has("ArchiveBucket", "DELETE_FAILED") || !w.has("ArchiveBucket", reason[:40]) {
			t.Errorf("%v\n%s", keep, w.story())
		}
	}
}

// deletable deploys a template without deletion policies, as another tool may have done.
func deletable(t *testing.T) {
	kept := template
	t.Cleanup(func() { template = kept })
	template = strings.ReplaceAll(template, "DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Delete")
}

// With Force, resources that CloudFormation cannot delete are abandoned.
func TestForce(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	w.Fail("delete", "AggregatorDLQ", "the queue is in use")
	w.Fail("delete", "AggregatorLogs", "the logs are in use")
	w.mustDelete(DeleteOptions{Force: true})
	if w.Stack(app).Status != "DELETE_COMPLETE" || w.Exists(tableKind, app) {
		t.Error("something is left")
	}
}

// A deletion waits for another deletion in progress, and a stack that disappears counts as deleted.
func TestDeleteJoins(t *testing.T) {
	w := newWorld(t, nil)
	bucket := w.mustEnsure(with()).Info.Bucket
	s := w.session(Options{NoWait: true})
	if err := s.delete(t.Context(), DeleteOptions{}); err != nil || w.Stack(app).Status != "DELETE_IN_PROGRESS" || !w.Exists(tableKind, app) {
		t.Fatalf("%v, %s", err, w.Stack(app).Status)
	}
	w.mustDelete(DeleteOptions{})
	if w.Exists(tableKind, app) || w.Exists(bucketKind, bucket) || w.Counts()["DeleteStack"] != 1 {
		t.Errorf("%v", w.Counts())
	}
	w.mustEnsure(with())
	w.On("DescribeStackEvents", func(int) {
		if w.Stack(app).Status == "DELETE_IN_PROGRESS" {
			w.SetStatus(app, "DELETE_COMPLETE")
		}
	})
	w.mustDelete(DeleteOptions{})
}

// A deletion that meets a table in deletion waits for it, and then deletes the bucket.
func TestDeleteMeetsDeletion(t *testing.T) {
	w := newWorld(t, nil)
	bucket := w.mustEnsure(with()).Info.Bucket
	w.mustDelete(DeleteOptions{KeepData: true})
	w.KeepTable(app, map[string]any{"TableStatus": "DELETING"}) // whose records cannot be read any more
	first := w.Counts()["DescribeTable"]
	w.On("DescribeTable", func(n int) {
		if n == first+3 {
			w.dropTable()
		}
	})
	w.mustDelete(DeleteOptions{})
	if w.Exists(bucketKind, bucket) || !w.has(app, "waiting for the table app, which is in DELETING") {
		t.Error(w.story())
	}
}

// A deletion does not delete the table of the next deployment, which may be there before the deletion notices.
func TestDeleteMeetsNextTable(t *testing.T) {
	w := newWorld(t, nil)
	w.KeepTable(app, map[string]any{"TableId": "1"})
	w.record(app, "1", app)
	deleted := false
	w.On("DeleteTable", func(int) { deleted = true })
	w.On("DescribeTable", func(int) {
		if deleted {
			w.KeepTable(app, map[string]any{"TableId": "2"})
		}
	})
	w.mustDelete(DeleteOptions{})
	if !w.Exists(tableKind, app) {
		t.Error("the table of the next deployment is gone")
	}
}

// A deletion that finds no stack deletes also the one that somebody deploys before it deletes the data.
func TestDeleteMeetsDeployment(t *testing.T) {
	w := newWorld(t, nil)
	w.On("DescribeTable", func(n int) {
		if n == 1 {
			w.mustEnsure(with())
		}
	})
	w.mustDelete(DeleteOptions{})
	if w.Stack(app).Status != "DELETE_COMPLETE" || w.Exists(tableKind, app) {
		t.Errorf("the table exists: %v, and the stack is in %s", w.Exists(tableKind, app), w.Stack(app).Status)
	}
}

// A deletion keeps the data that somebody has deployed again as soon as the stack was gone.
func TestDeleteMeetsRedeployment(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	s, again := w.session(Options{}), false
	s.o.Progress = func(e Event) {
		if e.Resource == app && e.Status == "DELETE_COMPLETE" && !again {
			again = true
			w.mustEnsure(with())
		}
	}
	err := s.delete(t.Context(), DeleteOptions{})
	if !again || !errors.Is(err, ErrForeign) || !w.Exists(tableKind, app) || w.mustEnsure(with()).Action != Unchanged {
		t.Errorf("%v", err)
	}
}

// Get and List describe stacks.
func TestInfo(t *testing.T) {
	w := newWorld(t, &stacktest.Options{PageSize: 1})
	get := func() (Info, error) {
		s := w.session(Options{})
		st, err := s.describe(t.Context(), app)
		if err != nil || st == nil {
			t.Fatal(st, err)
		}
		return s.info(t.Context(), st)
	}
	roles := true
	w.mustEnsure(with(func(o *Options) { o.Roles = &roles }))
	i, err := get()
	if err != nil || i.Name != app || i.Region != stacktest.Region || i.Health != "healthy" || !i.Available || i.TableStatus != "ACTIVE" || i.Table != app ||
		i.Version == "" || i.SchemaVersion != "1" || i.FunctionVersion != "v1.2.3" || !i.Aggregator || len(i.RoleARNs) != 4 || i.Outputs["StreamArn"] == "" {
		t.Errorf("%+v, %v", i, err)
	}
	w.SetStatus("other", "CREATE_COMPLETE")
	config := w.Config()
	all, err := List(t.Context(), &Options{Config: &config})
	if err != nil || len(all) != 1 || all[0].Name != app {
		t.Errorf("%+v, %v", all, err)
	}
	for status, want := range map[string]string{"ROLLBACK_COMPLETE": "failed", "UPDATE_IN_PROGRESS": "in progress", "UPDATE_ROLLBACK_COMPLETE": "healthy"} {
		w.SetStatus(app, status)
		if i, _ := get(); i.Health != want {
			t.Errorf("%s is %s", status, i.Health)
		}
	}
	if _, err := Get(t.Context(), "none", &Options{Config: &config}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "zae-limiter deploy --name none") {
		t.Error(err)
	}
}
