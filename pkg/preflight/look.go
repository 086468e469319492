package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/exposure"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/mirror"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/rollout"
)

// budget bounds the reads beside the survey, which has the run's own time.
const budget = 10 * time.Second

// Options of a look.
type Options struct {
	Plan *rollout.Plan
	// Smaller renders the plan's components in a smaller profile, to compare; nil where
	// there is none.
	Smaller func(context.Context) (profile string, rendered []components.Rendered, err error)
	// CanSkip tells whether components can be left out of the plan.
	CanSkip func(names []string) bool
	// AskImages asks registries, with the credentials of a pull secret; nil asks nobody.
	AskImages func(ctx context.Context, images []string, credentials []byte) ([]mirror.Answer, error)
	// Brief leaves out what only informs, and the room for what is there already: an
	// installation that follows asks for no more than it has to know.
	Brief bool
}

// Look reads what Judge needs. The survey is nil where rights are missing. The error is
// one for which nothing can be said at all: the context's end, or a plan that cannot be.
func Look(ctx context.Context, c *cluster.Cluster, engine *rollout.Engine, o Options) (*Facts, *rollout.Survey, error) {
	l := &looker{cluster: c, engine: engine, options: o, facts: newFacts(c, o)}
	if CheckVersion(o.Plan.Release, c.Version) != nil {
		return l.facts, nil, nil
	}
	var err error
	if l.core, err = newCore(c); err != nil {
		return nil, nil, err
	}
	reading, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	if notebooks(o.Plan) {
		l.start(reading, readStorage, l.storage)
		l.start(reading, readAdmission, l.admission)
	}
	if slices.Contains(o.Plan.Settings.UseExisting, "istio") {
		l.start(reading, readLayout, l.layout)
	}
	l.start(reading, readFilters, l.filters)
	if !o.Brief {
		l.start(reading, readAddress, l.address)
	}
	l.startRegistry(reading)
	if o.Plan.Settings.IsolateNamespaces {
		l.start(reading, readNetwork, l.network)
	}
	survey, err := l.survey(ctx)
	l.work.Wait()
	if err != nil {
		return nil, nil, err
	}
	// What is asked now depends on what is missing.
	reading, cancel = context.WithTimeout(ctx, budget)
	defer cancel()
	missing := l.missing(survey)
	if !o.Brief || len(l.pods)+len(l.rolling) > 0 {
		l.start(reading, readNodes, func(ctx context.Context) error { return l.room(ctx, missing) })
	}
	if !o.Brief || l.facts.Created > 0 || survey == nil {
		l.start(reading, readWebhooks, l.webhooks)
	}
	if survey != nil {
		l.start(reading, readSpaces, func(ctx context.Context) error { return l.terminating(ctx, survey.Terminating()) })
	}
	if !o.Brief || len(l.facts.Conflicts) > 0 {
		l.start(reading, readProducts, l.products)
	}
	l.work.Wait()
	return l.facts, survey, ctx.Err()
}

func newFacts(c *cluster.Cluster, o Options) *Facts {
	f := &Facts{
		Time: time.Now(), Target: c.Target, Version: c.Version, Impersonated: c.Config.Impersonate.UserName,
		Release: o.Plan.Release, Profile: o.Plan.Settings.Profile, UseExisting: o.Plan.Settings.UseExisting, CanSkip: o.CanSkip,
		Excluded: map[string]string{}, done: map[string]bool{}, failed: map[string]error{},
	}
	if f.Directories = o.Plan.Directories; f.Directories != nil {
		f.done[readDirectories] = true
	}
	if n := o.Plan.Network; n != nil && (n.Domain != components.DefaultDomain || n.IPv6) {
		f.Network = n
		f.done[readNetworkOf] = true
	}
	for _, r := range o.Plan.Rendered {
		f.Planned = append(f.Planned, r.Component.Name)
		f.NotebookImages = append(f.NotebookImages, r.Component.ConfigImages...)
	}
	return f
}

// notebooks tells whether people will start notebooks with what the plan brings.
func notebooks(plan *rollout.Plan) bool {
	return slices.ContainsFunc(plan.Rendered, func(r components.Rendered) bool { return r.Component.Name == "jupyter-web-app" })
}

type looker struct {
	cluster *cluster.Cluster
	core    *core
	engine  *rollout.Engine
	options Options

	work  sync.WaitGroup
	mu    sync.Mutex
	facts *Facts

	pods     []Pod
	notebook *Pod
	// rolling are pods that take the place of others.
	rolling []Pod
}

// start makes a read beside the others. Its failure makes the checks that need it
// unknown, and nothing else.
func (l *looker) start(ctx context.Context, name string, read func(context.Context) error) {
	l.work.Go(func() {
		err := read(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.facts.done[name] = true
		if err != nil {
			l.facts.failed[name] = fmt.Errorf("%s: %w", name, err)
		}
	})
}

// survey asks about rights, and then what would happen to every object.
func (l *looker) survey(ctx context.Context) (*rollout.Survey, error) {
	missing, err := l.engine.Permissions(ctx, l.options.Plan)
	if err != nil {
		return nil, fmt.Errorf("permissions: %w", err)
	}
	l.mu.Lock()
	l.facts.done[readRights], l.facts.done[readSurvey] = true, true
	l.facts.Missing = missing
	if len(missing) > 0 {
		l.facts.failed[readSurvey] = errBlocked
		l.mu.Unlock()
		return nil, nil
	}
	l.mu.Unlock()
	survey, err := l.engine.Survey(ctx, l.options.Plan)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.facts
	f.Conflicts, f.Refusals, f.Earlier, f.Tried = survey.Conflicts(), survey.Refusals(), survey.Earlier(), survey.Tried()
	for _, c := range survey.Changes() {
		switch {
		case c.Leaving != nil && c.Ref.Kind != "Namespace":
			f.Leaving = append(f.Leaving, Leaving{c.Component, c.Ref, c.Leaving.GetDeletionTimestamp().Time, c.Leaving.GetFinalizers()})
		case c.Live != nil && !f.Earlier && rollout.IsMember(c.Live):
			f.Kept++
		}
		switch c.Action {
		case report.Created:
			f.Created++
		case report.Configured:
			f.Configured++
		}
		if c.Action != report.Pruned {
			f.Objects++
		}
	}
	return survey, nil
}

// missing works out which workloads of the plan are not in the cluster, and the pods
// that are to come with them.
func (l *looker) missing(survey *rollout.Survey) func(components.PodRequest) bool {
	missing := func(components.PodRequest) bool { return true }
	if survey != nil {
		there := map[string]bool{}
		for _, c := range survey.Changes() {
			if c.Action != report.Created && c.Action != report.Pruned {
				there[c.Ref.String()] = true
			}
		}
		missing = func(p components.PodRequest) bool {
			return !there[report.Ref{Kind: p.Kind, Namespace: p.Namespace, Name: p.Name}.String()]
		}
	}
	var err error
	if l.pods, l.notebook, err = podsOf(l.options.Plan.Rendered, missing); err != nil {
		l.facts.failed[readPods] = err
	}
	if l.rolling, err = rolling(l.options.Plan.Rendered, survey); err != nil {
		l.facts.failed[readPods] = err
	}
	return missing
}

func (l *looker) storage(ctx context.Context) error {
	var list storagev1.StorageClassList
	err := l.core.list(ctx, "/apis/storage.k8s.io/v1/storageclasses", metav1.ListOptions{Limit: page}, &list)
	l.facts.Classes = list.Items
	if err != nil {
		return err
	}
	for i := range list.Items {
		c := list.Items[i]
		if !diagnose.IsDefault(c) || !diagnose.IsCSI(c.Provisioner) {
			continue
		}
		driver := diagnose.CSIDriver(c.Provisioner)
		err := l.core.get(ctx, "/apis/storage.k8s.io/v1/csidrivers/"+driver, &storagev1.CSIDriver{})
		switch {
		case apierrors.IsNotFound(err):
			l.facts.Undriven = append(l.facts.Undriven, driver)
		case err != nil && !apierrors.IsForbidden(err): // the installer need not be allowed to read it
			return err
		}
	}
	return nil
}

func (l *looker) address(ctx context.Context) error {
	d, err := exposure.Detect(ctx, l.cluster)
	if err == nil {
		l.facts.Address = *d
	}
	return err
}

func (l *looker) terminating(ctx context.Context, names []string) error {
	for _, n := range names {
		var ns corev1.Namespace
		if err := l.core.get(ctx, "/api/v1/namespaces/"+n, &ns); apierrors.IsNotFound(err) {
			continue // gone in the meantime
		} else if err != nil {
			return err
		}
		if ns.DeletionTimestamp != nil {
			l.facts.Terminating = append(l.facts.Terminating, ns)
		}
	}
	return nil
}

// maxServices bounds the Services that are looked for behind webhooks.
const maxServices = 100

// webhooks finds those that refuse what they select, since nobody answers for them.
func (l *looker) webhooks(ctx context.Context) error {
	const path = "/apis/admissionregistration.k8s.io/v1/"
	var mutating admissionv1.MutatingWebhookConfigurationList
	var validating admissionv1.ValidatingWebhookConfigurationList
	if err := l.core.list(ctx, path+"mutatingwebhookconfigurations", metav1.ListOptions{Limit: page}, &mutating); err != nil {
		return err
	}
	if err := l.core.list(ctx, path+"validatingwebhookconfigurations", metav1.ListOptions{Limit: page}, &validating); err != nil {
		return err
	}
	ours, namespaces := map[string]bool{}, map[string]map[string]string{}
	for _, r := range l.options.Plan.Rendered {
		for _, u := range r.Objects {
			switch u.GetKind() {
			case "Service":
				ours[u.GetNamespace()+"/"+u.GetName()] = true
			case "Namespace":
				namespaces[u.GetName()] = u.GetLabels()
			}
		}
	}
	exists := map[string]bool{}
	for _, h := range hooks(mutating.Items, validating.Items) {
		if h.service == nil || !h.fails {
			continue
		}
		name := h.service.Namespace + "/" + h.service.Name
		if ours[name] {
			continue // it comes with the run
		}
		if _, known := exists[name]; !known {
			if len(exists) == maxServices {
				return fmt.Errorf("webhooks use more than %d Services", maxServices)
			}
			err := l.core.get(ctx, "/api/v1/namespaces/"+h.service.Namespace+"/services/"+h.service.Name, &corev1.Service{})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			exists[name] = err == nil
		}
		if !exists[name] {
			l.facts.Webhooks = append(l.facts.Webhooks, l.dangling(&h, name, namespaces))
		}
	}
	return nil
}

func (l *looker) dangling(h *hook, service string, namespaces map[string]map[string]string) Webhook {
	w := Webhook{Configuration: h.configuration, Name: h.name, Service: service}
	if h.conditional {
		return w
	}
	for _, r := range l.options.Plan.Rendered {
		for _, u := range r.Objects {
			resource := strings.ToLower(u.GetKind()) + "s" // as good as any guess for a kind that is not served yet
			if m, err := l.cluster.Mapper.Resource(u.GroupVersionKind()); err == nil {
				resource = m.GroupVersionResource.Resource
			}
			if h.selects(u, resource, namespaces) {
				w.Refuses = true
				w.Example = fmt.Sprintf("%s %s", u.GetKind(), strings.TrimPrefix(u.GetNamespace()+"/"+u.GetName(), "/"))
				return w
			}
		}
	}
	return w
}

// products looks for installations of somebody else: a product whose kind is served
// and whose definition is not ours.
func (l *looker) products(ctx context.Context) error {
	for _, p := range products {
		if _, err := l.cluster.Mapper.Preferred(schema.GroupKind{Group: p.group, Kind: p.kind}); err != nil {
			continue
		}
		u, err := l.cluster.Dynamic.Resource(definitions).Get(ctx, p.crd, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if rollout.IsMember(u) {
			continue
		}
		e := Existing{Product: p.title, Components: p.components, CRD: p.crd, ManagedBy: managedBy(u)}
		for _, selector := range p.controllers {
			var list appsv1.DeploymentList
			if err := l.core.list(ctx, "/apis/apps/v1/deployments", metav1.ListOptions{LabelSelector: selector, Limit: 10}, &list); err != nil {
				return err
			}
			for i := range list.Items {
				e.add(&list.Items[i])
			}
		}
		l.facts.Existing = append(l.facts.Existing, e)
	}
	return nil
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// add takes up a controller. The first one counts.
func (e *Existing) add(d *appsv1.Deployment) {
	ref := report.Ref{Group: "apps", Kind: "Deployment", Namespace: d.Namespace, Name: d.Name}
	switch {
	case e.Controller == ref || slices.Contains(e.Also, ref):
	case e.Controller.Kind != "":
		e.Also = append(e.Also, ref)
	default:
		e.Controller, e.Version = ref, versionOf(d)
	}
}

// versionOf is what a Deployment says of its version: by the well-known label, or by
// its image's tag.
func versionOf(d *appsv1.Deployment) string {
	if v := d.Labels["app.kubernetes.io/version"]; v != "" {
		return v
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		image, _, _ := strings.Cut(c.Image, "@")
		if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
			return image[i+1:]
		}
	}
	return ""
}
