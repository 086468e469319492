package login

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

const (
	csrfCookie = "XSRF-TOKEN"
	csrfHeader = "X-XSRF-TOKEN"
)

// webApp asks the web app for what its page asks for, as the person who is logged in.
func (w *walk) webApp(ctx context.Context) verdict {
	config := w.person.get(ctx, webAppPath+"api/config")
	if !config.ok() {
		return fail(config, "the web app does not answer", w.notIn(config))
	}
	profile := w.g.profileOf(w.o.Email)
	if profile == nil {
		v := pass(config.request, config)
		if w.g.listFailed("Profile", "") {
			v.came += "; the user's namespace could not be read"
			v.stop = "the user's namespace is not known"
			return v
		}
		c := report.Cause{
			Name: diagnose.ProfileMissing, Severity: report.Error, Component: profileComponent,
			Object:  report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: "for " + w.o.Email},
			Summary: fmt.Sprintf("%s has no Profile: the login works, but there is no namespace for notebooks", w.o.Email),
			Remedy:  "kubectl jupyter user add " + w.o.Email,
		}
		v.came, v.outcome, v.causes, v.stop = v.came+"; no Profile", report.ProbeFailed, []report.Cause{c}, "the user has no namespace"
		return v
	}
	notebooks := w.person.get(ctx, notebooksPath(profile.Name))
	if !notebooks.ok() {
		return fail(notebooks, "the web app does not answer", w.noNotebooks(notebooks, profile))
	}
	asked := config.request + ", " + strings.TrimPrefix(notebooks.request, "GET ")
	answers := []answer{config, notebooks}
	// The list of namespaces is a route of ours; other installations have a dashboard.
	if w.namespacesRoute() {
		list := w.person.get(ctx, "/api/namespaces")
		if !list.ok() || !listsNamespace(list.body, profile.Name) {
			return fail(list, "", report.Cause{
				Name: diagnose.NamespaceListFails, Severity: report.Error, Component: profileComponent,
				Object:  report.Ref{Group: "security.istio.io", Kind: "AuthorizationPolicy", Namespace: stackNamespace, Name: "profiles-kfam"},
				Summary: "the web app does not show " + w.o.Email + " the namespaces", Evidence: []string{list.evidence()},
				Remedy: "kubectl jupyter install",
			})
		}
		asked += ", /api/namespaces"
		answers = append(answers, list)
	}
	return pass(asked, answers...)
}

// listsNamespace tells whether KFAM, or a web app that is asked instead, names a namespace.
func listsNamespace(body, namespace string) bool {
	var list struct {
		Namespaces []string
		Bindings   []struct{ ReferredNamespace string }
	}
	if json.Unmarshal([]byte(body), &list) != nil {
		return false
	}
	for _, b := range list.Bindings {
		list.Namespaces = append(list.Namespaces, b.ReferredNamespace)
	}
	return slices.Contains(list.Namespaces, namespace)
}

func notebooksPath(namespace string) string {
	return webAppPath + "api/namespaces/" + namespace + "/notebooks"
}

// namespacesRoute tells whether the gateway leads the list of namespaces anywhere.
func (w *walk) namespacesRoute() bool {
	for i := range w.g.Routes {
		for j := range w.g.Routes[i].Spec.HTTP {
			for _, p := range w.g.Routes[i].Spec.HTTP[j].paths() {
				if p == "/api/namespaces" {
					return true
				}
			}
		}
	}
	return false
}

func (w *walk) noNotebooks(a answer, p *Profile) report.Cause {
	if a.err != nil || a.code >= 500 {
		return w.hop(a, webAppPath, diagnose.WebAppUnreachable, webAppComponent, stackNamespace, webAppService, webAppWorkload)
	}
	return report.Cause{
		Name: diagnose.ProfileMissing, Severity: report.Error, Component: profileComponent,
		Object:   report.Ref{Group: "kubeflow.org", Kind: "Profile", Name: p.Name},
		Summary:  fmt.Sprintf("%s owns Profile %s but cannot see the notebooks in its namespace: the profile controller has not granted the permissions", w.o.Email, p.Name),
		Evidence: []string{a.evidence()},
		Remedy:   fmt.Sprintf("kubectl describe profile %s\nkubectl -n kubeflow logs deployment/profiles-deployment", p.Name),
	}
}

// changes proves that a click that changes something would be taken. The request has no
// name for the notebook, so that the web app must refuse it, after the check of the token.
func (w *walk) changes(ctx context.Context) verdict {
	profile := w.g.profileOf(w.o.Email)
	if profile == nil {
		return skip("the user's namespace is not known")
	}
	// The page sets the cookie, as it does for a browser.
	page := w.person.get(ctx, webAppPath)
	if v, bad := w.cookiesDropped(page); bad {
		return v
	}
	token := w.person.cookie(webAppPath, csrfCookie)
	a := w.person.do(ctx, http.MethodPost, notebooksPath(profile.Name), "{}", "Content-Type", "application/json", csrfHeader, token)
	switch {
	case a.err != nil:
		return fail(a, "", w.noConnection(a))
	case a.code == http.StatusBadRequest && strings.Contains(a.body, "name"):
		return pass(a.request, a)
	case a.code == http.StatusForbidden && token == "":
		c := secureCause(append([]string{a.evidence(), "the browser has no cookie " + csrfCookie}, w.g.secureSettings()...)...)
		c.Component, c.Object = webAppComponent, webAppParamsRef
		return fail(a, "", c)
	case a.code == http.StatusForbidden:
		return fail(a, "", w.noNotebooks(a, profile))
	}
	return fail(a, "", w.hop(a, webAppPath, diagnose.WebAppUnreachable, webAppComponent, stackNamespace, webAppService, webAppWorkload))
}
