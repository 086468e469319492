package diagnose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheLinesOfALogThatSayWhyAProgramEnded(t *testing.T) {
	for _, tt := range []struct{ name, log, want string }{
		{"a program that says nothing of an error: the end of its log", "1\n2\n3\n4\n5\n6\n7", "3\n4\n5\n6\n7"},
		{"a short log is shown whole", "starting\nlistening", "starting\nlistening"},
		{"an empty log", "", ""},
		{
			"an error before eight lines about shutting down",
			`time="2026-01-01T00:00:00Z" level=info msg="config issuer: http://dex"
time="2026-01-01T00:00:01Z" level=error msg="failed to open store: secrets is forbidden"
I0101 00:00:01 shutting down server
I0101 00:00:02 Stopping and waiting for non leader election runnables
I0101 00:00:03 Stopping and waiting for leader election runnables
I0101 00:00:04 Stopping and waiting for caches
I0101 00:00:05 Stopping and waiting for webhooks
I0101 00:00:06 Wait completed, proceeding to shutdown the manager`,
			`time="2026-01-01T00:00:00Z" level=info msg="config issuer: http://dex"
time="2026-01-01T00:00:01Z" level=error msg="failed to open store: secrets is forbidden"`,
		},
		{
			"klog's fatal line counts more than the errors after it",
			"E0101 00:00:00 one error\nF0101 00:00:01 main.go:3] unknown flag\nE0101 00:00:02 two error\nE0101 00:00:03 three error\nE0101 00:00:04 four error\nI0101 bye",
			"F0101 00:00:01 main.go:3] unknown flag\nE0101 00:00:02 two error\nE0101 00:00:03 three error\nE0101 00:00:04 four error\nI0101 bye",
		},
		{
			"a Go panic from its first line on",
			"listening\npanic: runtime error: index out of range [3]\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\nexit status 2\nmore",
			"panic: runtime error: index out of range [3]\ngoroutine 1 [running]:\nmain.main()\n/src/main.go:7 +0x1d\nexit status 2",
		},
		{"the Go runtime without memory", "x\nfatal error: runtime: cannot allocate memory\n1\n2\n3\n4\n5", "fatal error: runtime: cannot allocate memory\n1\n2\n3\n4"},
		{
			"the exception of a Python traceback, and where it was raised",
			`[INFO] Starting gunicorn
Traceback (most recent call last):
  File "/src/app.py", line 3, in <module>
    app.run()
  File "/src/settings.py", line 12, in load
    return os.environ["CSRF"]
KeyError: 'CSRF'
[INFO] Worker exiting (pid: 7)
[INFO] Shutting down: Master`,
			"File \"/src/settings.py\", line 12, in load\nreturn os.environ[\"CSRF\"]\nKeyError: 'CSRF'",
		},
		{
			"of a chain of exceptions the last",
			"Traceback (most recent call last):\n  File \"a\"\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\nValueError: no port",
			"File \"b\"\nValueError: no port",
		},
		{"a traceback that the log's end cuts is no exception", "ERROR: cannot bind\nTraceback (most recent call last):\n  File \"a\"", "ERROR: cannot bind\nTraceback (most recent call last):\nFile \"a\""},
		{
			"credentials in an error are taken out",
			"error: password=hunter2hunter2 refused",
			"error: password=[redacted] refused",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(telling(strings.Split(tt.log, "\n")), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
