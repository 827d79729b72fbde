package stack

import (
	"slices"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// The first deployment creates everything, in two change sets; the second does nothing.
func TestCreate(t *testing.T) {
	w := newWorld(t, &stacktest.Options{PageSize: 5})
	r := w.mustEnsure(with())
	if r.Action != Created || r.Before != nil || r.Info.Status != "UPDATE_COMPLETE" || !r.Info.Aggregator || r.Info.SchemaVersion != "1" || !r.Info.Available {
		t.Errorf("%+v", r)
	}
	for _, resource := range []string{"Table", "ArchiveBucket", "Aggregator", "AggregatorFeed", "FullPolicy", "WriteThrottleAlarm"} {
		if !slices.Contains(changed(r.Changes), "Add "+resource) || !w.has(resource, "CREATE_COMPLETE") {
			t.Errorf("%s is not made, or not told of", resource)
		}
	}
	if objects := w.Objects(r.Info.Bucket); !slices.Equal(objects, []string{"lambda/" + codeFor("arm64").Hash + ".zip"}) {
		t.Errorf("in the bucket is %v", objects)
	}
	told := map[Event]int{}
	for i, e := range w.events {
		if told[e]++; told[e] > 1 || i > 0 && e.Time.Before(w.events[i-1].Time) && e.Type != "" && w.events[i-1].Type != "" {
			t.Errorf("told twice, or late: %+v", e)
		}
	}
	before := w.Counts()
	r = w.mustEnsure(with())
	if r.Action != Unchanged || r.Changes != nil || r.Before["CodeKey"] == "" {
		t.Errorf("%+v", r)
	}
	if after := w.Counts(); after["ExecuteChangeSet"] != before["ExecuteChangeSet"] || after["s3:PUT"] != before["s3:PUT"] || after["DeleteChangeSet"] != before["DeleteChangeSet"]+1 {
		t.Errorf("%v after %v", after, before)
	}
	w.mustDelete(DeleteOptions{})
	if w.Exists("AWS::DynamoDB::Table", app) || w.Exists("AWS::S3::Bucket", r.Info.Bucket) || w.Stack(app).Status != "DELETE_COMPLETE" {
		t.Error("something is left")
	}
	w.mustDelete(DeleteOptions{})
}
