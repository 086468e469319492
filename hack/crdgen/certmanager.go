package main

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// cert-manager's Go types carry the schemas, but most of them no markers for
// names, scope, columns and the status subresource: cert-manager keeps those
// beside its types. They are stated here.

const (
	readyStatus  = `.status.conditions[?(@.type=="Ready")].status`
	readyMessage = `.status.conditions[?(@.type=="Ready")].message`
)

// certManagerCRDs returns what each CRD of cert-manager adds to its types.
func certManagerCRDs() map[string]func(*apiextensionsv1.CustomResourceDefinition) error {
	issuerColumns := columns(text("Ready", readyStatus), wide("Status", readyMessage))
	return map[string]func(*apiextensionsv1.CustomResourceDefinition) error{
		"certificates.cert-manager.io": all(
			categories("cert-manager"), shortNames("cert", "certs"), withStatus,
			columns(
				text("Ready", readyStatus),
				text("Secret", ".spec.secretName"),
				wide("Issuer", ".spec.issuerRef.name"),
				wide("Status", readyMessage),
			),
		),
		"certificaterequests.cert-manager.io": all(
			categories("cert-manager"), shortNames("cr", "crs"), withStatus,
			columns(
				text("Approved", `.status.conditions[?(@.type=="Approved")].status`),
				text("Denied", `.status.conditions[?(@.type=="Denied")].status`),
				text("Ready", readyStatus),
				text("Issuer", ".spec.issuerRef.name"),
				text("Requester", ".spec.username"),
				wide("Status", readyMessage),
			),
		),
		"issuers.cert-manager.io": all(
			categories("cert-manager"), crdsLabel, withStatus, issuerColumns,
		),
		"clusterissuers.cert-manager.io": all(
			categories("cert-manager"), clusterScoped, withStatus, issuerColumns,
		),
		"orders.acme.cert-manager.io": all(
			categories("cert-manager", "cert-manager-acme"), crdsLabel, withStatus,
			columns(
				text("State", ".status.state"),
				wide("Issuer", ".spec.issuerRef.name"),
				wide("Reason", ".status.reason"),
			),
		),
		// Challenge's type has markers for its columns and its status.
		"challenges.acme.cert-manager.io": categories("cert-manager", "cert-manager-acme"),
	}
}

// all applies edits one after the other.
func all(edits ...func(*apiextensionsv1.CustomResourceDefinition) error) func(*apiextensionsv1.CustomResourceDefinition) error {
	return func(crd *apiextensionsv1.CustomResourceDefinition) error {
		for _, edit := range edits {
			if err := edit(crd); err != nil {
				return err
			}
		}
		return nil
	}
}

func categories(names ...string) func(*apiextensionsv1.CustomResourceDefinition) error {
	return func(crd *apiextensionsv1.CustomResourceDefinition) error {
		crd.Spec.Names.Categories = names
		return nil
	}
}

func shortNames(names ...string) func(*apiextensionsv1.CustomResourceDefinition) error {
	return func(crd *apiextensionsv1.CustomResourceDefinition) error {
		crd.Spec.Names.ShortNames = names
		return nil
	}
}

func crdsLabel(crd *apiextensionsv1.CustomResourceDefinition) error {
	crd.Labels["app.kubernetes.io/component"] = "crds"
	return nil
}

func clusterScoped(crd *apiextensionsv1.CustomResourceDefinition) error {
	crd.Spec.Scope = apiextensionsv1.ClusterScoped
	return nil
}

func withStatus(crd *apiextensionsv1.CustomResourceDefinition) error {
	for i := range crd.Spec.Versions {
		crd.Spec.Versions[i].Subresources = &apiextensionsv1.CustomResourceSubresources{
			Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
		}
	}
	return nil
}

// columns sets what `kubectl get` prints, with the age last.
func columns(list ...apiextensionsv1.CustomResourceColumnDefinition) func(*apiextensionsv1.CustomResourceDefinition) error {
	age := apiextensionsv1.CustomResourceColumnDefinition{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"}
	return func(crd *apiextensionsv1.CustomResourceDefinition) error {
		for i := range crd.Spec.Versions {
			crd.Spec.Versions[i].AdditionalPrinterColumns = append(append([]apiextensionsv1.CustomResourceColumnDefinition(nil), list...), age)
		}
		return nil
	}
}

func text(name, path string) apiextensionsv1.CustomResourceColumnDefinition {
	return apiextensionsv1.CustomResourceColumnDefinition{Name: name, Type: "string", JSONPath: path}
}

// wide is a column that only `-o wide` shows.
func wide(name, path string) apiextensionsv1.CustomResourceColumnDefinition {
	column := text(name, path)
	column.Priority = 1
	return column
}
