// Deploy holds the manifests in deploy/ to the types of Kubernetes and of Compose: fields that do not exist, names that nothing has,
// ports and volumes that nobody defines. It needs no cluster and no container engine.
//
// It is a module of its own, so that those types weigh on nobody who only builds Naru.
package deploy
