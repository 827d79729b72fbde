package stack

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"runtime/debug"
	"strings"
)

const (
	module  = "github.com/zeroae/zae-limiter-go"
	command = module + "/cmd/zae-limiter"
)

// Tags of a stack, which CloudFormation gives to all that is in it.
const (
	tagManagedBy     = "ManagedBy"
	managedBy        = "zae-limiter"
	tagPrefix        = "zae-limiter:"
	tagVersion       = tagPrefix + "version"
	tagSchema        = tagPrefix + "schema-version"
	tagFunction      = tagPrefix + "lambda-version"
	undated          = "devel" // the version of what was built from a working copy
	bucketPrefix     = "zae-"
	longestInBucket  = 46 // bytes of the stack's name
	digestInBucket   = 12
	codeFolder       = "lambda/"
	changeSetsPrefix = "zae-limiter-"
)

func ownTag(key string) bool { return key == tagManagedBy || strings.HasPrefix(key, tagPrefix) }

// bucketName is that of a stack's bucket: names of buckets are the whole world's, so it has account and region in it,
// and is known before and after the stack is there.
func bucketName(account, region, name string) string {
	sum := sha256.Sum256([]byte(account + "/" + region + "/" + name))
	digest := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:digestInBucket]
	lower := strings.ToLower(name)
	return bucketPrefix + lower[:min(len(lower), longestInBucket)] + "-" + digest
}

func codeKey(c *Code) string { return codeFolder + c.Hash + ".zip" }

// version of this module in the running program, in the characters that a tag may have.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return undated
	}
	if info.Main.Path == module {
		return tagged(info.Main.Version)
	}
	for _, dep := range info.Deps {
		if dep.Path == module && dep.Replace == nil {
			return tagged(dep.Version)
		}
	}
	return undated
}

var notInTags = regexp.MustCompile(`[^A-Za-z0-9_.:/=+\-@ ]`)

func tagged(version string) string {
	if version = notInTags.ReplaceAllString(version, ""); version == "" {
		return undated
	}
	return version
}
