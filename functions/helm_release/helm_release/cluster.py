"""Find the cluster's API server and prove to it who we are, without the AWS command line.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Protocol

import boto3
import botocore.exceptions
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from helm_release.errors import ClusterError, ClusterGoneError

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - the scheme's name
CLUSTER_HEADER = "x-k8s-aws-id"
# The server takes a token for 15 minutes whatever its address says, and wants an expiry of one minute:
# https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
PRESIGNED_SECONDS = 60
USABLE = ("ACTIVE", "UPDATING")


class Clusters(Protocol):
    """What the rest needs to know of AWS."""

    def kubeconfig(self, name: str, path: Path) -> str:
        """Write a kubeconfig for the cluster to ``path``; returns the token in it, so that it can be redacted.

        Raises:
            ClusterGoneError: there is no such cluster.
            ClusterError: it cannot be used now.
        """


class EksClusters:
    """Clusters of the account and region that the function runs in.

    Args:
        session: boto3's.
    """

    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self._eks = session.client("eks")

    def kubeconfig(self, name: str, path: Path) -> str:
        """See ``Clusters.kubeconfig``."""
        cluster = self._describe(name)
        token = self._token(name)
        path.touch(mode=0o600)
        path.write_text(json.dumps(_kubeconfig(cluster, token)))
        return token

    def _describe(self, name: str) -> dict[str, Any]:
        try:
            cluster: dict[str, Any] = self._eks.describe_cluster(name=name)["cluster"]
        except self._eks.exceptions.ResourceNotFoundException:
            raise ClusterGoneError(f"there is no cluster {name!r} in {self._session.region_name}") from None
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise ClusterError(f"cluster {name!r} cannot be described: {error}") from None
        if cluster["status"] not in USABLE:
            raise ClusterError(f"cluster {name!r} is {cluster['status']}, not {' or '.join(USABLE)}: try again later")
        return cluster

    def _token(self, name: str) -> str:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise ClusterError("there are no AWS credentials to sign a token with")
        region = self._session.region_name
        signer = RequestSigner(ServiceId("STS"), region, "sts", "v4", credentials, self._session.events)
        sts = self._session.client("sts").meta.endpoint_url
        address = signer.generate_presigned_url(
            {
                "method": "GET",
                "url": f"{sts}/?Action=GetCallerIdentity&Version=2011-06-15",
                "body": {},
                "headers": {CLUSTER_HEADER: name},
                "context": {},
            },
            operation_name="",
            expires_in=PRESIGNED_SECONDS,
            region_name=region,
        )
        return TOKEN_PREFIX + base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


def _kubeconfig(cluster: dict[str, Any], token: str) -> dict[str, Any]:
    """A kubeconfig with one context; JSON is YAML."""
    name = cluster["name"]
    server = {"server": cluster["endpoint"], "certificate-authority-data": cluster["certificateAuthority"]["data"]}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
