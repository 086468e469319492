package fidelity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Facts are what a release of upstream's manifests consists of: its objects,
// and a fingerprint of every leaf of theirs. They hold no value and no text of
// upstream's, only what tells whether ours is the same; of credentials they hold
// not even that (see Withheld).
type Facts struct {
	// Release of the manifests the facts are of.
	Release string `json:"release"`
	// Objects by ID: path to fingerprint.
	Objects map[string]map[string]string `json:"objects"`
}

// Fingerprint is the first 64 bits of a value's SHA-256, in hexadecimal: enough
// to tell values apart, and short.
func Fingerprint(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:8])
}

// Withheld stands in facts where a Secret has a value that is no identifier. The
// fingerprint of a credential that everybody knows would spread it all the same. Ours
// is generated and differs from whatever upstream ships.
const Withheld = "withheld"

// factOf is what the facts keep of a leaf.
func factOf(kind, path, value string) string {
	if kind == "Secret" && strings.HasPrefix(path, ".data") && path != ".data" && !strings.HasSuffix(strings.ToLower(path), "id") {
		return Withheld
	}
	return Fingerprint(value)
}

// FactsOf takes the facts of objects.
func FactsOf(release string, objects []*unstructured.Unstructured) (*Facts, error) {
	facts := &Facts{Release: release, Objects: map[string]map[string]string{}}
	for _, u := range objects {
		leaves, err := LeavesOf(u)
		if err != nil {
			return nil, err
		}
		id := ID(u)
		if _, twice := facts.Objects[id]; twice {
			return nil, fmt.Errorf("%s is there twice", id)
		}
		prints := make(map[string]string, len(leaves))
		for path, value := range leaves {
			prints[path] = factOf(u.GetKind(), path, value)
		}
		facts.Objects[id] = prints
	}
	return facts, nil
}

// Encode writes facts as JSON with one object a line: sorted, so that the same
// manifests give the same bytes.
func (f *Facts) Encode() ([]byte, error) {
	var out bytes.Buffer
	release, err := json.Marshal(f.Release)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&out, "{\"release\":%s,\"objects\":{", release)
	for i, id := range slices.Sorted(maps.Keys(f.Objects)) {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		key, err := compact(id)
		if err != nil {
			return nil, err
		}
		prints, err := compact(f.Objects[id])
		if err != nil {
			return nil, err
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(prints)
	}
	out.WriteString("\n}}\n")
	return out.Bytes(), nil
}

// compact is json.Marshal without HTML escapes.
func compact(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// ReadFacts reads a file that Encode wrote.
func ReadFacts(path string) (*Facts, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	facts := &Facts{}
	if err := json.Unmarshal(data, facts); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(facts.Objects) == 0 {
		return nil, fmt.Errorf("%s: no objects in it", path)
	}
	return facts, nil
}

// Join adds the facts of another project's release, whose objects must be other
// ones.
func (f *Facts) Join(other *Facts) error {
	for id, prints := range other.Objects {
		if _, twice := f.Objects[id]; twice {
			return fmt.Errorf("%s is of release %s and of release %s", id, f.Release, other.Release)
		}
		f.Objects[id] = prints
	}
	return nil
}
