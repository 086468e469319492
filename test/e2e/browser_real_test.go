//go:build e2e_real

package e2e

import (
	"bytes"
	"encoding/json"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// chromium is the browser of this machine, and the folder for its pictures: the one that
// E2E_PICTURES names, or one that goes.
func chromium(t *testing.T) (path, pictures string) {
	t.Helper()
	for _, name := range []string{"chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
		}
	}
	if path == "" {
		t.Skip("no Chromium here: Debian's package chromium has it")
	}
	if pictures = os.Getenv("E2E_PICTURES"); pictures == "" {
		pictures = t.TempDir()
	}
	return path, pictures
}

// inABrowser logs a person in with Chromium, which drops the cookies that a browser
// drops and runs the scripts that a page has.
func (b *bed) inABrowser(t *testing.T) {
	chromium, pictures := chromium(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t).Bin, "browser"), "-chromium", chromium, "-proxy", os.Getenv("HTTP_PROXY"),
		"-url", webAppURL, "-user", loginUser, "-namespace", profileNamespace, "-out", pictures)
	cmd.Stdin = strings.NewReader(loginPassword)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	type page struct{ URL, Title, Text, Picture string }
	var out struct {
		SignIn, Form, App page
		Change            struct {
			Status int
			Body   string
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	for _, tt := range []struct {
		name  string
		page  page
		path  string
		texts []string
	}{
		{"oauth2-proxy's page to sign in", out.SignIn, "/jupyter/", []string{"Sign in with"}},
		{"Dex' form", out.Form, "/dex/auth/local/login", []string{"Log in"}},
		{"the web app", out.App, "/jupyter/", []string{"Jupyter"}},
	} {
		if !strings.Contains(tt.page.URL, gatewayAddress+tt.path) {
			t.Errorf("%s is at %s, want %s", tt.name, tt.page.URL, tt.path)
		}
		for _, want := range tt.texts {
			if !strings.Contains(tt.page.Text, want) {
				t.Errorf("%s does not say %q: %s", tt.name, want, tt.page.Text)
			}
		}
		wantPicture(t, tt.name, tt.page.Picture)
	}
	// The cookie has been kept and the script could read it: the web app looks at the
	// request itself, and misses the notebook's name in it.
	if c := out.Change; c.Status != 400 || !strings.Contains(c.Body, "Parameter 'name' is missing") || !strings.Contains(c.Body, loginUser) {
		t.Errorf("a request of the page = %d, want 400 of %s for want of a name: %s", c.Status, loginUser, c.Body)
	}
}

// wantPicture refuses a picture that shows nothing.
func wantPicture(t *testing.T, of, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Errorf("the picture of %s: %v", of, err)
		return
	}
	defer func() { _ = f.Close() }()
	picture, _, err := image.Decode(f)
	if err != nil {
		t.Errorf("the picture of %s: %v", of, err)
		return
	}
	colours := map[any]bool{}
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y += 2 {
		for x := size.Min.X; x < size.Max.X; x += 2 {
			colours[picture.At(x, y)] = true
		}
	}
	if size.Dx() < 800 || len(colours) < 8 {
		t.Errorf("the picture of %s has %d by %d points of %d colours", of, size.Dx(), size.Dy(), len(colours))
	}
}
