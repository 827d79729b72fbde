package stacktest

import (
	"fmt"
	"net/http"
	"strings"
)

// describesBucket answers what is asked about the settings of a bucket, which the S3 behind does not have; false if that is
// not what is asked.
func (a *AWS) describesBucket(w http.ResponseWriter, r *http.Request) bool {
	of, settings := strings.Trim(r.URL.Path, "/"), r.URL.Query()
	if r.Method != http.MethodGet || !settings.Has("lifecycle") && !settings.Has("encryption") {
		return false
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	t := a.things[bucketKind+" "+of]
	if t == nil {
		t = &thing{}
	}
	status, text := http.StatusNotFound, "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>"
	switch {
	case settings.Has("lifecycle"):
		text = "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>"
		if rules, _ := t.at("LifecycleConfiguration", "Rules").([]any); rules != nil {
			status, text = http.StatusOK, "<LifecycleConfiguration>"+lifecycle(rules)+"</LifecycleConfiguration>"
		}
	default:
		for _, rule := range list(t.at("BucketEncryption", "ServerSideEncryptionConfiguration")) {
			d, _ := rule["ServerSideEncryptionByDefault"].(map[string]any)
			key := ""
			if id, ok := d["KMSMasterKeyID"]; ok {
				key = "<KMSMasterKeyID>" + fmt.Sprint(id) + "</KMSMasterKeyID>"
			}
			status, text = http.StatusOK, "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>"+
				fmt.Sprint(d["SSEAlgorithm"])+"</SSEAlgorithm>"+key+"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a client that has gone reads nothing
	return true
}

func list(v any) (all []map[string]any) {
	items, _ := v.([]any)
	for _, item := range items {
		if object, ok := item.(map[string]any); ok {
			all = append(all, object)
		}
	}
	return all
}

// lifecycle are the rules of a bucket, as far as objects move to another storage.
func lifecycle(rules []any) string {
	var text strings.Builder
	for _, rule := range list(rules) {
		fmt.Fprintf(&text, "<Rule><ID>%v</ID><Status>%v</Status>", rule["Id"], rule["Status"])
		for _, t := range list(rule["Transitions"]) {
			fmt.Fprintf(&text, "<Transition><Days>%v</Days><StorageClass>%v</StorageClass></Transition>", t["TransitionInDays"], t["StorageClass"])
		}
		text.WriteString("</Rule>")
	}
	return text.String()
}
