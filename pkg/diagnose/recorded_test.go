package diagnose

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What real kubelets and runtimes say differs from version to version, and no hand-made
// object gets it quite right. The files in testdata/recorded are snapshots of a real
// node, each of which names its source; only what concerns the case is kept.
func TestRecordings(t *testing.T) {
	want := map[string][]string{
		"asroot":      {"error CreateContainerConfigError Deployment lab/asroot"},
		"crash":       {"error CrashLoopBackOff Deployment lab/crash"},
		"eats":        {"error OOMKilled Deployment lab/eats"},
		"initcrash":   {"error TooManyOpenFiles Deployment lab/initcrash"},
		"misnamed":    {"error InvalidImageName Deployment lab/misnamed"},
		"never":       {"error ImagePullBackOff Deployment lab/never"},
		"nofile":      {"error CreateContainerError Deployment lab/nofile"},
		"nomount":     {"error MountFailed Deployment lab/nomount"},
		"nosecret":    {"error CreateContainerConfigError Deployment lab/nosecret"},
		"once":        {"error CrashLoopBackOff Job lab/once"},
		"panics":      {"error CrashLoopBackOff Deployment lab/panics"},
		"sick":        {"error ProbeFailing Deployment lab/sick"},
		"unreachable": {"error ImagePullBackOff Deployment lab/unreachable"},
	}
	files, err := filepath.Glob("testdata/recorded/*.json")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d recordings, want %d (%v)", len(files), len(want), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var recorded struct {
				Source   string    `json:"source"`
				Subjects []Subject `json:"subjects"`
				Snapshot *Snapshot `json:"snapshot"`
			}
			if err := json.Unmarshal(text, &recorded); err != nil {
				t.Fatal(err)
			}
			if recorded.Source == "" || recorded.Snapshot.Time.IsZero() {
				t.Errorf("the recording does not say where and when it was made: %q %v", recorded.Source, recorded.Snapshot.Time)
			}
			causes := Classify(recorded.Snapshot, recorded.Subjects)
			var got []string
			for _, c := range causes {
				got = append(got, brief(c))
				check(t, c)
			}
			if strings.Join(got, "\n") != strings.Join(want[name], "\n") {
				t.Errorf("causes %q, want %q", got, want[name])
			}
			golden(t, "recorded/"+name, causes)
		})
	}
}
