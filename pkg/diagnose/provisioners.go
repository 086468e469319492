package diagnose

import "strings"

// migrated are the provisioners that were part of Kubernetes, and the CSI drivers that
// serve their classes since (CSIMigration; k8s.io/csi-translation-lib has the same list).
var migrated = map[string]string{
	"kubernetes.io/aws-ebs":         "ebs.csi.aws.com",
	"kubernetes.io/azure-disk":      "disk.csi.azure.com",
	"kubernetes.io/azure-file":      "file.csi.azure.com",
	"kubernetes.io/cinder":          "cinder.csi.openstack.org",
	"kubernetes.io/gce-pd":          "pd.csi.storage.gke.io",
	"kubernetes.io/portworx-volume": "pxd.portworx.com",
	"kubernetes.io/vsphere-volume":  "csi.vsphere.vmware.com",
}

// NoProvisioner is written in classes whose volumes somebody makes by hand.
const NoProvisioner = "kubernetes.io/no-provisioner"

// CSIDriver is the driver that creates the volumes of a StorageClass's provisioner, by the
// name that it is to be running under.
func CSIDriver(provisioner string) string {
	if driver, ok := migrated[provisioner]; ok {
		return driver
	}
	return provisioner
}

// IsCSI tells that a provisioner is a CSI driver, so that a CSIDriver object of its name
// exists where it is installed. Others, such as local-path, have none.
func IsCSI(provisioner string) bool {
	driver := CSIDriver(provisioner)
	return driver != provisioner || strings.Contains("."+driver+".", ".csi.")
}
