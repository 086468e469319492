package diagnose

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// FuzzTelling checks what is quoted of a program's log: few lines, short ones, in their
// order, all of them the log's, without what looks like a credential.
func FuzzTelling(f *testing.F) {
	for _, text := range []string{
		"panic: runtime error\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:1 +0x1\nexit status 2",
		"Traceback (most recent call last):\n  File \"/a.py\", line 1, in <module>\n    raise ValueError\nValueError: no\nshutting down",
		"Traceback (most recent call last):\n  File \"/a.py\"", "E0101 12:00:00 failed\nF0101 fatal\nstopping\nstopped",
		`{"level":"fatal","msg":"cannot open"}` + "\nok\nok\nok\nok\nok\nok", "\x00\xff\xfe", strings.Repeat("ä", 300), "\r\nerror\r\n\r\n",
	} {
		f.Add(text, uint8(1))
	}
	f.Fuzz(func(t *testing.T, text string, at uint8) {
		const planted = "pl4ntedSecretOfNobody"
		lines := strings.Split(text, "\n")
		i := int(at) % (len(lines) + 1)
		lines = slices.Insert(lines, i, "error: password="+planted)
		got := telling(lines)
		if len(got) == 0 || len(got) > maxLogLines {
			t.Errorf("%d lines of %d", len(got), len(lines))
		}
		var whole []string
		for _, l := range lines {
			whole = append(whole, strings.Join(strings.Fields(l), " "))
		}
		from := 0
		for _, l := range got {
			if l == "" || len(l) > maxLogLine || strings.Contains(l, "\n") || utf8.ValidString(text) && !utf8.ValidString(l) {
				t.Errorf("the line %q", l)
			}
			if strings.Contains(l, planted) {
				t.Errorf("the planted value is in %q", l)
			}
			// A line without credentials is quoted as it is, up to its cut.
			n := slices.IndexFunc(whole[from:], func(w string) bool { return w == l || strings.HasPrefix(w, strings.TrimSuffix(l, "...")) })
			if n < 0 && !strings.Contains(l, "[redacted]") {
				t.Errorf("%q is no line of the log, or comes too late", l)
			} else if n >= 0 {
				from += n + 1
			}
		}
	})
}

// FuzzRefusal checks what is made of the API server's messages, in which the words of
// webhooks and the names that people chose stand: one cause, complete, of the known ones.
func FuzzRefusal(f *testing.F) {
	for _, message := range []string{
		`admission webhook "a.b.c" denied the request: no`, `pods "x" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1`,
		`pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged`, `error looking up service account ns/default-editor: serviceaccount "default-editor" not found`,
		`no matches for kind "Notebook" in version "kubeflow.org/v1"`, `User "jane" cannot list resource "pods" in API group ""`,
		`Internal error occurred: failed calling webhook "w.x.y": failed to call webhook: Post "https://svc.ns.svc:443/mutate?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused`,
		`failed calling webhook "x": Post "https://a.b.svc:99999999999999999999/": x509: certificate signed by unknown authority`, `conversion webhook for a/v1, Kind=B failed: EOF`,
		`Secret "x" is invalid: data: too long`, `webhook a.b does not answer yet: context deadline exceeded`,
	} {
		f.Add(message, "ns", "name")
	}
	f.Fuzz(func(t *testing.T, message, namespace, name string) {
		const planted = "pl4ntedSecretOfNobody"
		sub := Subject{Ref: report.Ref{Kind: "Pod", Namespace: namespace, Name: name}, Message: message + "\npassword=" + planted}
		for _, c := range (&Snapshot{}).refusal(sub, sub.Message, sub.Ref) {
			if !slices.Contains(Names(), c.Name) {
				t.Errorf("cause %q is not a known one", c.Name)
			}
			if c.Summary == "" || c.Remedy == "" || len(c.Evidence) == 0 {
				t.Errorf("an incomplete cause: %+v", c)
			}
			for _, text := range append([]string{c.Summary, c.Remedy}, c.Evidence...) {
				if strings.Contains(text, planted) {
					t.Errorf("%s says the planted value: %q", c.Name, text)
				}
			}
			for _, e := range c.Evidence {
				if len(e) > maxMessage || strings.Contains(e, "\n") {
					t.Errorf("evidence of %d bytes: %q", len(e), e)
				}
			}
		}
	})
}
