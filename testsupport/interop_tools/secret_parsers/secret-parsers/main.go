// Command secret-parsers answers with the code of those that pull images which credentials a pull Secret holds for a host.
//
// Each line of its input is a Secret with the hosts to look up; each line of its output has, for each reader, a list with
// the logins that it finds for each host. A Secret that a reader cannot read at all ends the command.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	docker "github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	cluster "github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	podman "go.podman.io/image/v5/pkg/docker/config"
	"go.podman.io/image/v5/types"
	"k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/credentialprovider/secrets"
)

const repository = "/team/app"

type login struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// A lookup gives the logins for a host, in the order in which they would be tried.
type lookup func(host string) ([]login, error)

type reader func(secret v1.Secret) (lookup, error)

var readers = map[string]reader{
	"kubelet":                           kubelet,
	"docker/cli":                        dockerCLI,
	"containers/image":                  containersImage,
	"go-containerregistry":              goContainerRegistry,
	"go-containerregistry's Kubernetes": goContainerRegistryInCluster,
}

type question struct {
	Secret v1.Secret
	Hosts  []string
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(input io.Reader, output io.Writer) error {
	buffered := bufio.NewWriter(output)
	questions, answers := json.NewDecoder(bufio.NewReader(input)), json.NewEncoder(buffered)
	for {
		var asked question
		if err := questions.Decode(&asked); errors.Is(err, io.EOF) {
			return buffered.Flush()
		} else if err != nil {
			return err
		}
		found, err := answer(asked)
		if err != nil {
			return err
		}
		if err := answers.Encode(found); err != nil {
			return err
		}
	}
}

func answer(asked question) (map[string][][]login, error) {
	found := map[string][][]login{}
	for reader, read := range readers {
		find, err := read(asked.Secret)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", reader, err)
		}
		for _, host := range asked.Hosts {
			logins, err := find(host)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", reader, host, err)
			}
			found[reader] = append(found[reader], logins)
		}
	}
	return found, nil
}

func kubelet(secret v1.Secret) (lookup, error) {
	keyring, err := secrets.MakeDockerKeyring([]v1.Secret{secret}, &credentialprovider.BasicDockerKeyring{})
	return func(host string) ([]login, error) {
		logins := []login{}
		found, _ := keyring.Lookup(host + repository)
		for _, each := range found {
			logins = append(logins, login{each.Username, each.Password})
		}
		return logins, nil
	}, err
}

func dockerCLI(secret v1.Secret) (lookup, error) {
	file, err := docker.LoadFromReader(bytes.NewReader(secret.Data[v1.DockerConfigJsonKey]))
	return func(host string) ([]login, error) {
		found, err := file.GetAuthConfig(host)
		return given(found.Username, found.Password), err
	}, err
}

func containersImage(secret v1.Secret) (lookup, error) {
	folder, err := mounted(secret)
	system := &types.SystemContext{
		AuthFilePath:                filepath.Join(folder, "config.json"),
		SystemRegistriesConfPath:    os.DevNull,
		SystemRegistriesConfDirPath: folder,
	}
	return func(host string) ([]login, error) {
		found, err := podman.GetCredentials(system, host+repository)
		return given(found.Username, found.Password), err
	}, err
}

func goContainerRegistry(secret v1.Secret) (lookup, error) {
	folder, err := mounted(secret)
	return func(host string) ([]login, error) {
		if err := os.Setenv("DOCKER_CONFIG", folder); err != nil {
			return nil, err
		}
		return resolved(authn.DefaultKeychain, host)
	}, err
}

func goContainerRegistryInCluster(secret v1.Secret) (lookup, error) {
	keychain, err := cluster.NewFromPullSecrets(context.Background(), []v1.Secret{secret})
	return func(host string) ([]login, error) { return resolved(keychain, host) }, err
}

func resolved(keychain authn.Keychain, host string) ([]login, error) {
	image, err := name.NewRepository(host + repository)
	if err != nil {
		return nil, err
	}
	found, err := keychain.Resolve(image)
	if err != nil {
		return nil, err
	}
	config, err := authn.Authorization(context.Background(), found)
	if err != nil {
		return nil, err
	}
	return given(config.Username, config.Password), nil
}

func given(user, password string) []login {
	if user == "" && password == "" {
		return []login{}
	}
	return []login{{user, password}}
}

// mounted gives a folder with the Secret as a pod or a build finds it; its name is the same each time.
func mounted(secret v1.Secret) (string, error) {
	folder := filepath.Join(os.Args[1], "docker")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(folder, "config.json"), secret.Data[v1.DockerConfigJsonKey], 0o600)
}
