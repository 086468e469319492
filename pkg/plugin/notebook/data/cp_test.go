package data

import (
	"testing"
	"time"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/copying"
)

func TestAPathInANotebookBeginsWithItsName(t *testing.T) {
	for typed, want := range map[string][2]string{
		"lab:/home/jovyan/x": {"lab", "/home/jovyan/x"},
		"lab:":               {"lab", ""},
		"lab:a:b":            {"lab", "a:b"},
		"./lab:a":            {"", "./lab:a"},
		"/tmp/lab:a":         {"", "/tmp/lab:a"},
		`C:\data`:            {"", `C:\data`},
		"data":               {"", "data"},
		"My:file":            {"", "My:file"},
	} {
		if name, path := inNotebook(typed); name != want[0] || path != want[1] {
			t.Errorf("%s is %q in notebook %q, want %q in %q", typed, path, name, want[1], want[0])
		}
	}
}

func TestTheSummarySaysHowACopyWasVerified(t *testing.T) {
	for want, r := range map[string]copying.Result{
		"lab:/a copied: 1 file, 300.0 MiB in 3.0s; SHA-256 sums are equal":                                                                          {Target: "lab:/a", Files: 1, Bytes: 300 << 20, Verified: copying.BySum},
		"lab:/a copied: 2 files, 10 B in 3.0s; sizes are equal":                                                                                     {Target: "lab:/a", Files: 2, Bytes: 10, Verified: copying.BySize},
		"/b copied: 1 file, 3.0 MiB in 3.0s; SHA-256 sums are equal; 1.0 MiB were there from an earlier run; 4 files had the same contents already": {Target: "/b", Files: 1, Bytes: 3 << 20, Resumed: 1 << 20, Same: 4, Verified: copying.BySum},
		"/b unchanged: 1 file had the same contents already":                                                                                        {Target: "/b", Same: 1, Verified: copying.BySum},
	} {
		if got := summary(&r, 3*time.Second); got != want {
			t.Errorf("summary %q, want %q", got, want)
		}
	}
}
