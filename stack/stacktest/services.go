package stacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone reads nothing
}

func writeText(w http.ResponseWriter, status int, document string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(document)) // a client that has gone reads nothing
}

// describesBucket answers requests for the settings of a bucket, which the S3 behind does not have. It returns false if the
// request is another one.
func (a *AWS) describesBucket(w http.ResponseWriter, r *http.Request) bool {
	settings := r.URL.Query()
	if !settings.Has("lifecycle") && !settings.Has("encryption") {
		return false
	}
	defer a.enter()()
	e := a.existing[bucketKind+" "+strings.Trim(r.URL.Path, "/")]
	if e == nil {
		e = &existing{}
	}
	rules, _ := e.at("LifecycleConfiguration", "Rules").([]any)
	encryption, _ := e.at("BucketEncryption", "ServerSideEncryptionConfiguration").([]any)
	switch {
	case settings.Has("lifecycle") && rules != nil:
		writeText(w, http.StatusOK, tag("LifecycleConfiguration", lifecycle(rules)))
	case settings.Has("lifecycle"):
		writeText(w, http.StatusNotFound, tag("Error", tag("Code", "NoSuchLifecycleConfiguration")))
	case encryption == nil:
		writeText(w, http.StatusNotFound, tag("Error", tag("Code", "ServerSideEncryptionConfigurationNotFoundError")))
	default:
		d, key := mapping(mapping(encryption[0])["ServerSideEncryptionByDefault"]), ""
		if id, ok := d["KMSMasterKeyID"]; ok {
			key = tag("KMSMasterKeyID", id)
		}
		writeText(w, http.StatusOK, tag("ServerSideEncryptionConfiguration",
			tag("Rule", tag("ApplyServerSideEncryptionByDefault", tag("SSEAlgorithm", d["SSEAlgorithm"])+key))))
	}
	return true
}

// tag returns an element of XML.
func tag(name string, content any) string { return fmt.Sprintf("<%s>%v</%[1]s>", name, content) }

// lifecycle returns the rules of a bucket by which objects move to another storage.
func lifecycle(rules []any) (document string) {
	for _, of := range rules {
		rule, moves := mapping(of), ""
		transitions, _ := rule["Transitions"].([]any)
		for _, to := range transitions {
			moves += tag("Transition", tag("Days", mapping(to)["TransitionInDays"])+tag("StorageClass", mapping(to)["StorageClass"]))
		}
		document += tag("Rule", tag("ID", rule["Id"])+tag("Status", rule["Status"])+moves)
	}
	return document
}
