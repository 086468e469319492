package release

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// render fills the template as krew-release-bot does: addURIAndSha gives the two fields
// of an archive, indent moves all lines but the first.
func render(text []byte, tag string, sum func(url string) (string, error)) ([]byte, error) {
	values := map[string]string{"TagName": tag}
	t, err := template.New(".krew.yaml").Option("missingkey=error").Funcs(template.FuncMap{
		"addURIAndSha": func(url, _ string) (string, error) {
			var b bytes.Buffer
			t, err := template.New("url").Option("missingkey=error").Parse(url)
			if err != nil {
				return "", err
			}
			if err := t.Execute(&b, values); err != nil {
				return "", err
			}
			s, err := sum(b.String())
			return "uri: " + b.String() + "\nsha256: " + s, err
		},
		"indent": func(n int, s string) string { return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n)) },
	}).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, values)
	return b.Bytes(), err
}

// plugin is krew's manifest, as far as its rules go.
type plugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string     `json:"version"`
		Homepage         string     `json:"homepage"`
		ShortDescription string     `json:"shortDescription"`
		Description      string     `json:"description"`
		Caveats          string     `json:"caveats"`
		Platforms        []platform `json:"platforms"`
	} `json:"spec"`
}

type platform struct {
	URI      string `json:"uri"`
	SHA256   string `json:"sha256"`
	Bin      string `json:"bin"`
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
}

func (p platform) String() string {
	return p.Selector.MatchLabels["os"] + "/" + p.Selector.MatchLabels["arch"]
}

var (
	semver    = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check holds a manifest to the rules that krew and its index document.
func check(manifest []byte) (*plugin, error) {
	var p plugin
	if err := yaml.UnmarshalStrict(manifest, &p); err != nil {
		return nil, err
	}
	var problems []error
	rule := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	s := p.Spec
	rule(p.APIVersion == "krew.googlecontainertools.github.com/v1alpha2", "apiVersion is %q", p.APIVersion)
	rule(p.Kind == "Plugin", "kind is %q", p.Kind)
	rule(p.Metadata.Name == "jupyter", "metadata.name is %q", p.Metadata.Name)
	rule(semver.MatchString(s.Version), "spec.version %q is not semantic with a leading v", s.Version)
	rule(strings.HasPrefix(s.Homepage, "https://"), "spec.homepage is %q", s.Homepage)
	rule(s.ShortDescription != "" && len(s.ShortDescription) <= 50 && !strings.Contains(s.ShortDescription, "\n"),
		"spec.shortDescription has %d characters; one line of at most 50 is wanted", len(s.ShortDescription))
	rule(!strings.HasSuffix(s.ShortDescription, "."), "spec.shortDescription ends with a full stop")
	rule(s.Description != "", "spec.description is empty")
	for _, text := range []string{s.Description, s.Caveats} {
		for l := range strings.Lines(text) {
			rule(len(strings.TrimRight(l, "\n")) <= 80, "longer than 80 characters: %q", l)
		}
	}
	seen := map[string]bool{}
	for _, f := range s.Platforms {
		labels := f.Selector.MatchLabels
		rule(slices.Equal(slices.Sorted(maps.Keys(labels)), []string{"arch", "os"}), "%s: selects by %v; os and arch are wanted", f, labels)
		rule(!seen[f.String()], "%s: two archives", f)
		seen[f.String()] = true
		rule(hexDigest.MatchString(f.SHA256), "%s: sha256 is %q", f, f.SHA256)
		rule(strings.HasPrefix(f.URI, "https://"), "%s: uri is %q", f, f.URI)
		rule(strings.HasSuffix(f.Bin, ".exe") == (labels["os"] == "windows"), "%s: bin is %q", f, f.Bin)
	}
	for _, want := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"} {
		rule(seen[want], "%s: no archive", want)
	}
	rule(len(seen) == 6, "%d platforms", len(seen))
	return &p, errors.Join(problems...)
}
