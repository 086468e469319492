//go:build e2e

package e2e

import "testing"

// TestOneInstalledStack is what several tests share one cluster and one installation for:
// each leaves the stack working, and the last plants credentials.
func TestOneInstalledStack(t *testing.T) {
	b := newBed(t)
	for _, tt := range []struct {
		name string
		test func(*testing.T, *bed)
	}{
		{"login-url", loginURL}, // begins with nothing installed, and installs
		{"the server accepts every embedded manifest", theServerAcceptsEveryEmbeddedManifest},
		{"what is behind a webhook is named before it", whatIsBehindAWebhookIsNamedBeforeIt},
		{"notebook", notebookCommands},
		{"the form for new notebooks", formOfTheCluster},
		{"notebook edit, run and volume", notebookWork},
		{"support-bundle", supportBundle},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, b.in(t)) })
	}
}
