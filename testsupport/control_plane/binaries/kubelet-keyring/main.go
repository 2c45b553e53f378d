// Command kubelet-keyring answers with the kubelet's own code which credentials a pod's pull Secrets hold for an image.
//
// Its argument is the image and its input a SecretList; its output is a list, in the order in which the kubelet tries them.
package main

import (
	"encoding/json"
	"log"
	"os"

	"k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
)

func main() {
	var pullSecrets v1.SecretList
	if err := json.NewDecoder(os.Stdin).Decode(&pullSecrets); err != nil {
		log.Fatal(err)
	}
	keyring, err := secrets.MakeDockerKeyring(pullSecrets.Items, &credentialprovider.BasicDockerKeyring{})
	if err != nil {
		log.Fatal(err)
	}
	found, _ := keyring.Lookup(os.Args[1])
	credentials := []credentialprovider.AuthConfig{}
	for _, each := range found {
		credentials = append(credentials, each.AuthConfig)
	}
	if err := json.NewEncoder(os.Stdout).Encode(credentials); err != nil {
		log.Fatal(err)
	}
}
