#!/usr/bin/env bash
# Installs Buildscaler, or brings an installation up to date.
#
#   NAME                                 of every object                     [buildscaler]
#   NAMESPACE                            for the controller and its pods     [default]
#   BUILDKITE_ORG_SLUG                   required
#   BUILDKITE_ACCESS_TOKEN               required: the controller's, for Buildkite's REST API
#   BUILDKITE_AGENT_TOKEN                required: the agents', to register with Buildkite
#   BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN the controller's IAM role; leave it out where there is no AWS
#   BUILDSCALER_MARKETPLACE_PRODUCT_CODE meters usage by the AWS Marketplace; needs the role
#   BUILDSCALER_MARKETPLACE_PUBLIC_KEY_VERSION of the product's key             [1]
#   BUILDSCALER_MARKETPLACE_DIMENSION    in which agent-hours are counted     [agents]
#   BUILDSCALER_IMAGE                    another image than the manifests name
#
# Nothing is changed unless all of it can be. It may be run again at any time.
# To remove everything:
#
#   kubectl -n$NAMESPACE delete Deployment,Secret,ServiceAccount,Role,RoleBinding -l app.kubernetes.io/name=$NAME
#   kubectl -n$NAMESPACE delete jobs,pods -l app.elotl.co=buildscaler

# Tracing would show the tokens.
{ set +x; } 2>/dev/null
set -euo pipefail

readonly FIELD_MANAGER=buildscaler-deploy
readonly ACCESS_SECRET=buildkite-access-token
# The name that templates refer to, by the documentation.
readonly AGENT_SECRET=buildkite-agent-token

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
complaints=()

main() {
  NAME=${NAME:-buildscaler}
  NAMESPACE=${NAMESPACE:-default}
  check_variables
  check_cluster
  workspace=$(mktemp -d)
  trap 'rm -rf "$workspace"' EXIT
  # A kustomization may refer to what lies below it.
  cp -R "$here/kustomize/base" "$workspace/base"

  try apply_secrets
  try apply_controller unknown
  give_up_on_complaints
  apply_secrets
  apply_controller "$(version_of_access_token)"
  echo
  echo "Buildscaler is installed in the namespace $NAMESPACE. See how it starts:"
  echo "  kubectl -n $NAMESPACE rollout status deployment/$NAME"
  echo "  kubectl -n $NAMESPACE logs deployment/$NAME"
}

complain() { complaints+=("$1"); }

give_up_on_complaints() {
  [ ${#complaints[@]} -eq 0 ] && return
  {
    echo "Nothing was changed, because:"
    printf -- '- %s\n' "${complaints[@]}"
  } >&2
  exit 2
}

check_variables() {
  local variable
  for variable in BUILDKITE_ORG_SLUG BUILDKITE_ACCESS_TOKEN BUILDKITE_AGENT_TOKEN; do
    [ -n "${!variable:-}" ] || complain "$variable is not set"
  done
  for variable in BUILDKITE_ACCESS_TOKEN BUILDKITE_AGENT_TOKEN; do
    [[ ${!variable:-} =~ ^[[:graph:]]*$ ]] || complain "$variable holds a blank or a line break"
  done
  for variable in NAME NAMESPACE; do
    [[ ${!variable} =~ ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$ ]] ||
      complain "$variable must be of lower case letters, digits and hyphens, 63 at most"
  done
  [[ ${BUILDKITE_ORG_SLUG:-x} =~ ^[A-Za-z0-9_-]+$ ]] ||
    complain "BUILDKITE_ORG_SLUG is the last part of https://buildkite.com/my-organization-slug, without the rest"
  [[ ${BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN:-arn:aws:iam::0:role/x} =~ ^arn:aws[a-z-]*:iam::[0-9]+:role/[A-Za-z0-9+=,.@_/-]+$ ]] ||
    complain "BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN is no ARN of a role, such as arn:aws:iam::123456789012:role/buildscaler"
  check_marketplace
  [[ ${BUILDSCALER_IMAGE:-x} =~ ^[A-Za-z0-9][A-Za-z0-9._/:@-]*$ ]] || complain "BUILDSCALER_IMAGE is no image reference"
  give_up_on_complaints
}

check_marketplace() {
  local variable
  if [ -n "${BUILDSCALER_MARKETPLACE_PRODUCT_CODE:-}" ]; then
    [ -n "${BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN:-}" ] ||
      complain "BUILDSCALER_MARKETPLACE_PRODUCT_CODE needs BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN: AWS meters nobody without an IAM role"
  else
    for variable in BUILDSCALER_MARKETPLACE_PUBLIC_KEY_VERSION BUILDSCALER_MARKETPLACE_DIMENSION; do
      [ -z "${!variable:-}" ] || complain "$variable means nothing without BUILDSCALER_MARKETPLACE_PRODUCT_CODE"
    done
  fi
  [[ ${BUILDSCALER_MARKETPLACE_PRODUCT_CODE:-x} =~ ^[-a-zA-Z0-9/=:_.@]+$ ]] ||
    complain "BUILDSCALER_MARKETPLACE_PRODUCT_CODE is no product code"
  [[ ${BUILDSCALER_MARKETPLACE_PUBLIC_KEY_VERSION:-1} =~ ^[1-9][0-9]{0,8}$ ]] ||
    complain "BUILDSCALER_MARKETPLACE_PUBLIC_KEY_VERSION is no number from 1 on"
  [[ ${BUILDSCALER_MARKETPLACE_DIMENSION:-x} =~ ^[A-Za-z0-9_.-]+$ ]] ||
    complain "BUILDSCALER_MARKETPLACE_DIMENSION is no name of a dimension"
}

check_cluster() {
  local answer
  command -v kubectl >/dev/null || complain "kubectl is not installed"
  give_up_on_complaints
  if ! answer=$(kubectl get namespace "$NAMESPACE" --output=name 2>&1); then
    case $answer in
      *Forbidden* | *forbidden*) ;; # Whether more is forbidden, the trial will show.
      *'not found'*) complain "there is no namespace $NAMESPACE; kubectl create namespace $NAMESPACE" ;;
      *) complain "the cluster cannot be reached: ${answer##*$'\n'}" ;;
    esac
  fi
  give_up_on_complaints
}

# Everything is tried on the server, with all its checks, before anything is done.
try() {
  local answer
  answer=$(dry_run=server "$@" 2>&1) || complain "the cluster would refuse it: $answer"
}

# Field ownership on the server's side: a repeated run takes nothing from others,
# and no copy of a Secret is kept in an annotation.
apply() {
  kubectl apply --namespace="$NAMESPACE" --filename=- --dry-run="${dry_run:-none}" \
    --server-side --force-conflicts --field-manager="$FIELD_MANAGER"
}

# printf is part of the shell: a token is never an argument of a process.
apply_secrets() {
  {
    secret "$ACCESS_SECRET" BUILDKITE_ACCESS_TOKEN
    secret "$AGENT_SECRET" BUILDKITE_AGENT_TOKEN
  } | apply
}

secret() {
  local encoded
  encoded=$(printf %s "${!2}" | base64 | tr -d '\n')
  cat <<EOF
---
apiVersion: v1
kind: Secret
metadata:
  name: $1
  labels:
    app.kubernetes.io/name: "$NAME"
type: Opaque
data:
  $2: $encoded
EOF
}

version_of_access_token() {
  kubectl get secret "$ACCESS_SECRET" --namespace="$NAMESPACE" --output='jsonpath={.metadata.resourceVersion}'
}

# Takes the version of the access token: a pod reads its environment once, so a
# new token has to start a new pod.
apply_controller() {
  kustomization "$1" >"$workspace/kustomization.yaml"
  kubectl kustomize "$workspace" | apply
}

kustomization() {
  cat <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: "$NAMESPACE"
resources: [base]
labels:
- pairs:
    app.kubernetes.io/name: "$NAME"
  includeSelectors: true
patches:
- target: {kind: ServiceAccount|Role|RoleBinding|Deployment}
  patch: |-
    - {op: replace, path: /metadata/name, value: "$NAME"}
  options: {allowNameChange: true}
- target: {kind: RoleBinding}
  patch: |-
    - {op: replace, path: /roleRef/name, value: "$NAME"}
    - {op: replace, path: /subjects/0/name, value: "$NAME"}
- target: {kind: Deployment}
  patch: |-
    - {op: replace, path: /spec/template/spec/serviceAccountName, value: "$NAME"}
    - {op: replace, path: /spec/template/spec/containers/0/env/1/value, value: "$BUILDKITE_ORG_SLUG"}
    - op: add
      path: /spec/template/metadata/annotations
      value: {buildscaler.elotl.co/access-token-version: "$1"}
EOF
  marketplace_option product-code "${BUILDSCALER_MARKETPLACE_PRODUCT_CODE:-}"
  marketplace_option public-key-version "${BUILDSCALER_MARKETPLACE_PUBLIC_KEY_VERSION:-}"
  marketplace_option dimension "${BUILDSCALER_MARKETPLACE_DIMENSION:-}"
  if [ -n "${BUILDSCALER_IMAGE:-}" ]; then
    echo "    - {op: replace, path: /spec/template/spec/containers/0/image, value: \"$BUILDSCALER_IMAGE\"}"
  fi
  if [ -n "${BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN:-}" ]; then
    cat <<EOF
- target: {kind: ServiceAccount}
  patch: |-
    - op: add
      path: /metadata/annotations
      value: {eks.amazonaws.com/role-arn: "$BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN"}
EOF
  fi
}

# Adds an option to the controller's command line, if it has a value.
marketplace_option() {
  [ -z "$2" ] ||
    echo "    - {op: add, path: /spec/template/spec/containers/0/args/-, value: \"--marketplace-$1=$2\"}"
}

main
