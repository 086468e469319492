package diagnose

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// findImage: the image is not on the node, and why.
func findImage(s *Snapshot, sub Subject, p *corev1.Pod) []report.Cause {
	if leaving(p) {
		return nil
	}
	var causes []report.Cause
	for _, ct := range containers(p) {
		w := ct.status.State.Waiting
		if w == nil {
			continue
		}
		image := ct.spec.Image
		switch w.Reason {
		case "InvalidImageName":
			c := s.podCause(sub, p, InvalidImageName, report.Error, fmt.Sprintf("%q is not a valid image name", image))
			c.Evidence = []string{event(w.Reason, w.Message)}
			c.Remedy = fmt.Sprintf("correct the image of container %s (--image, --registry or your kustomization)", ct.spec.Name)
			causes = append(causes, c)
		case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed", "ErrImageNeverPull":
			causes = append(causes, s.failedPull(sub, p, ct, w))
		case "ContainerCreating", "PodInitializing", "":
			if e := s.pulling(p, image); e != nil {
				c := s.podCause(sub, p, ImagePulling, report.Delay, fmt.Sprintf("image %s is being pulled", image))
				c.Evidence = []string{fmt.Sprintf("%s (on node %s, since %s)", event(e.Reason, e.Message), p.Spec.NodeName, age(s.Time.Sub(seen(*e).Time)))}
				causes = append(causes, c)
			}
		}
	}
	return causes
}

func (s *Snapshot) failedPull(sub Subject, p *corev1.Pod, ct container, w *corev1.ContainerStateWaiting) report.Cause {
	image := ct.spec.Image
	// The registry's answer is in an event; newer kubelets have it in the status too.
	answer := event(w.Reason, w.Message)
	for _, e := range s.events("Pod", p.Namespace, p.Name, "Failed", "FailedToPullImage", "InspectFailed", "ErrImageNeverPull") {
		if strings.Contains(e.Message, image) {
			answer = event(w.Reason, e.Message)
			break
		}
	}
	c := s.podCause(sub, p, ImagePullBackOff, report.Error, "")
	c.Evidence = []string{answer}
	text := strings.ToLower(answer + " " + w.Message)
	asked := registryOf(image)
	if m := askedHost.FindStringSubmatch(text); m != nil {
		asked = m[1] // a mirror
	}
	switch {
	case otherPlatform.MatchString(text):
		c.Name = WrongArchitecture
		c.Summary = fmt.Sprintf("image %s does not exist for the architecture of node %s", image, p.Spec.NodeName)
		c.Remedy = "kubectl get nodes -L kubernetes.io/arch; run the pods on amd64 nodes, or use an image for this architecture: kubectl jupyter install --image NAME=REF"
	case strings.Contains(text, "server gave http response to https client"):
		c.Summary = fmt.Sprintf("registry %s serves plain HTTP, and node %s expects HTTPS", asked, p.Spec.NodeName)
		c.Remedy = fmt.Sprintf("serve the registry over HTTPS, or allow HTTP on every node: for containerd, [host.\"http://%s\"] in /etc/containerd/certs.d/%s/hosts.toml", asked, registryOf(image))
	case strings.Contains(text, "x509: certificate has expired or is not yet valid"):
		c.Summary = fmt.Sprintf("for node %s the certificate of registry %s has expired or is not valid yet", p.Spec.NodeName, asked)
		c.Remedy = "compare the node's clock with the dates in the evidence; if the clock is right, renew the registry's certificate"
	case strings.Contains(text, "x509: certificate is valid for"), strings.Contains(text, "x509: certificate is not valid for any names"):
		c.Summary = fmt.Sprintf("the certificate that node %s gets for registry %s is for another name", p.Spec.NodeName, asked)
		c.Remedy = "use the registry by a name of its certificate (--registry HOST/PREFIX), or give it a certificate for this one; something between the node and the registry may answer in its place"
	case strings.Contains(text, "x509: "):
		c.Summary = fmt.Sprintf("node %s does not trust the certificate of registry %s", p.Spec.NodeName, asked)
		c.Remedy = fmt.Sprintf("if the registry has a private CA, name it on every node: for containerd, ca = \"/path/ca.crt\" below [host.\"https://%s\"] in /etc/containerd/certs.d/%s/hosts.toml; otherwise renew the registry's certificate", asked, registryOf(image))
	case strings.Contains(text, "toomanyrequests") || strings.Contains(text, "429 too many"):
		c.Severity = report.Delay
		c.Summary = fmt.Sprintf("registry %s limits image pulls", asked)
		c.Remedy = "wait, log in to the registry with a pull secret, or use a mirror: kubectl jupyter install --registry HOST/PREFIX"
	case hiddenOrMissing(text):
		c.Summary = fmt.Sprintf("registry %s does not show image %s: it is not there, or needs a login", asked, image)
		c.Remedy = "check name and tag; if the image is private, " + pullSecret(p, image)
	case notInRegistry(text):
		c.Summary = fmt.Sprintf("image %s is not in its registry", image)
		c.Remedy = fmt.Sprintf("check name and tag, or use another image: kubectl jupyter install --image NAME=REF, or a mirror: --registry HOST/PREFIX (the image is %s)", image)
	case needsLogin(text):
		s.deniedPull(p, image, asked, &c)
	case strings.Contains(text, "no space left on device"):
		c.Summary = fmt.Sprintf("node %s has no disk space for image %s", p.Spec.NodeName, image)
		c.Remedy = "free disk space on the node: kubectl describe node " + p.Spec.NodeName
	case w.Reason == "ErrImageNeverPull":
		c.Summary = fmt.Sprintf("image %s is not on node %s, and its pull policy does not allow pulling it", image, p.Spec.NodeName)
		c.Remedy = "load the image onto the node, or set imagePullPolicy: IfNotPresent"
	default:
		c.Summary = fmt.Sprintf("image %s cannot be pulled", image)
		check := "a route and no firewall in between"
		switch {
		case strings.Contains(text, ": lookup "):
			c.Summary = fmt.Sprintf("node %s does not reach registry %s: its name has no address there", p.Spec.NodeName, asked)
			check = "the node's DNS"
		case unreached.MatchString(text):
			c.Summary = fmt.Sprintf("node %s does not reach registry %s", p.Spec.NodeName, asked)
		}
		c.Remedy = fmt.Sprintf("check that node %s reaches %s (%s); without internet access, mirror the images (kubectl jupyter images copy) and install with --registry HOST/PREFIX", p.Spec.NodeName, asked, check)
		// A registry or a network may come back; one that has been away for long does not.
		if s.Time.Sub(p.CreationTimestamp.Time) < patience {
			c.Severity = report.Delay
		}
	}
	return c
}

// unreached is how a node says that it has got no answer at all. It takes lower-case text.
var unreached = regexp.MustCompile(`dial tcp|i/o timeout|no route to host|network is unreachable|connection refused|connection reset|tls handshake timeout`)

// deniedPull tells a login that is missing from one that the registry does not accept.
func (s *Snapshot) deniedPull(p *corev1.Pod, image, asked string, c *report.Cause) {
	// The kubelet goes on without a pull secret that it does not find.
	for _, e := range s.events("Pod", p.Namespace, p.Name, "FailedToRetrieveImagePullSecret") {
		c.Summary = fmt.Sprintf("a pull secret of the pod does not exist, and registry %s requires a login for image %s", asked, image)
		c.Evidence = append(c.Evidence, event(e.Reason, e.Message))
		c.Remedy = "create the Secret in the evidence, or specify the pull secret that is to be copied to all namespaces: kubectl jupyter install --image-pull-secret NAME"
		return
	}
	if len(p.Spec.ImagePullSecrets) == 0 {
		c.Summary = fmt.Sprintf("registry %s requires a login for image %s", asked, image)
		c.Remedy = pullSecret(p, image)
		return
	}
	var names []string
	for _, r := range p.Spec.ImagePullSecrets {
		names = append(names, r.Name)
	}
	c.Summary = fmt.Sprintf("registry %s refuses the login with pull secret %s, or has none in it, for image %s", asked, strings.Join(names, ", "), image)
	c.Remedy = fmt.Sprintf("check that the Secret is for %s, that its password is right, and that its user may pull the image; after a change of a Secret that install copies (--image-pull-secret): kubectl jupyter install", registryOf(image))
}

// otherPlatform is how containerd, Docker and CRI-O say that an index has no image for
// the node.
var otherPlatform = regexp.MustCompile(`no match for platform|no matching manifest for |no image found in (image index|manifest list) for architecture`)

// notInRegistry: the registry was reached and knows that there is no such image.
// It takes lower-case text.
func notInRegistry(text string) bool {
	return strings.Contains(text, "manifest unknown") || strings.Contains(text, "name unknown") ||
		strings.Contains(text, ": not found") && (strings.Contains(text, "failed to resolve reference") || strings.Contains(text, "failed to resolve image"))
}

// hiddenOrMissing: registries do not tell strangers which private images they have. It takes
// lower-case text.
func hiddenOrMissing(text string) bool {
	return strings.Contains(text, "repository does not exist or may require") || strings.Contains(text, "requested access to the resource is denied")
}

// askedHost is the registry that the node has asked, which a mirror's configuration decides.
var askedHost = regexp.MustCompile(`(?:head|get) "https?://([^/"\n]+)/v2/`)

func pullSecret(p *corev1.Pod, image string) string {
	return fmt.Sprintf("for the whole stack and all users: kubectl jupyter install --image-pull-secret NAME; or add a pull secret to the service account: kubectl -n %s create secret docker-registry pull --docker-server=%s --docker-username=USER --docker-password=... && kubectl -n %s patch serviceaccount %s -p '{\"imagePullSecrets\":[{\"name\":\"pull\"}]}'",
		p.Namespace, registryOf(image), p.Namespace, serviceAccountOf(p))
}

// needsLogin: the registry was reached and refuses. It takes lower-case text.
func needsLogin(text string) bool {
	for _, word := range []string{"unauthorized", "status code 401", "403 forbidden", "access denied", "authentication required", "no basic auth credentials", "insufficient_scope"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

var registryHost = regexp.MustCompile(`^([^/\n]+\.[^/\n]+|[^/\n]+:\d+|localhost)/`)

func registryOf(image string) string {
	if m := registryHost.FindStringSubmatch(image); m != nil {
		return m[1]
	}
	return "docker.io"
}

func serviceAccountOf(p *corev1.Pod) string {
	if p.Spec.ServiceAccountName != "" {
		return p.Spec.ServiceAccountName
	}
	return "default"
}

// pulling is the event of a pull that has begun and not ended.
func (s *Snapshot) pulling(p *corev1.Pod, image string) *corev1.Event {
	for _, e := range s.events("Pod", p.Namespace, p.Name, "Pulling", "Pulled", "Failed") {
		if strings.Contains(e.Message, `"`+image+`"`) {
			if e.Reason != "Pulling" {
				return nil
			}
			return &e
		}
	}
	return nil
}
